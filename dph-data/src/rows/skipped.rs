//! [`Skipped`]: the rows that cannot be used, counted by reason.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use super::problem::{RowProblem, SkipReason};

/// How many examples of each reason are kept.
const KEPT: usize = 5;

/// A skipped row: its place and its problem.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SkippedRow {
    /// The file and line (`data/x.jsonl:12`), or the file and row for formats without lines.
    pub place: String,
    /// The problem in words.
    pub message: String,
}

/// The rows that were skipped, by reason. Serialises as `{"too-long": 3}`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Skipped {
    reasons: BTreeMap<SkipReason, SkippedRows>,
}

/// The rows that were skipped for one reason.
#[derive(Debug, Clone, Default, PartialEq)]
struct SkippedRows {
    /// The places of all.
    places: Vec<String>,
    /// The first few.
    examples: Vec<SkippedRow>,
}

impl Skipped {
    /// Number of skipped rows.
    pub fn total(&self) -> usize {
        self.reasons.values().map(|rows| rows.places.len()).sum()
    }

    /// Number of skipped rows for each reason.
    pub fn counts(&self) -> BTreeMap<SkipReason, usize> {
        self.reasons.iter().map(|(&reason, rows)| (reason, rows.places.len())).collect()
    }

    /// The first few skipped rows for a reason.
    pub fn examples(&self, reason: SkipReason) -> &[SkippedRow] {
        self.reasons.get(&reason).map_or(&[], |rows| &rows.examples)
    }

    /// The places of all rows that were skipped for a reason.
    pub fn places(&self, reason: SkipReason) -> &[String] {
        self.reasons.get(&reason).map_or(&[], |rows| &rows.places)
    }

    pub(crate) fn add(&mut self, place: String, problem: RowProblem) {
        let rows = self.reasons.entry(problem.reason).or_default();
        rows.places.push(place.clone());
        if rows.examples.len() < KEPT {
            rows.examples.push(SkippedRow { place, message: problem.message });
        }
    }
}

impl Serialize for Skipped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.counts().iter().map(|(reason, count)| (reason.as_str(), count)))
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> =
            self.counts().iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        f.write_str(&counts.join(", "))
    }
}
