//! Rows that cannot be used: counted by reason, never dropped in silence.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

/// How many examples of each reason are kept.
const KEPT: usize = 5;

/// Why a row cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// The line is not JSON, not UTF-8, or does not have the header's number of columns.
    Unreadable,
    /// The JSON value is not an object.
    NotAnObject,
    /// A field that the task needs is not there.
    MissingField,
    /// A field is there but is not what the task needs (a list where text is expected, …).
    WrongType,
    /// A template or expression of the task fails on the row.
    Template,
    /// There are fewer than two candidates.
    TooFewCandidates,
    /// The chosen and the rejected answer are the same text.
    IdenticalAnswers,
    /// The chosen and the rejected conversation do not share everything before the last answer.
    NoSharedPrompt,
    /// The row is one of several answers to a prompt, but the others are missing.
    NoPartner,
    /// Two answers to the same prompt have the same score, so that neither is better.
    Tied,
    /// The row has no gold answer (a test split).
    Unlabelled,
    /// The gold answer is none of the candidates.
    GoldOutOfRange,
    /// Prompt and answer have more tokens than allowed.
    TooLong,
    /// The chat template or the tokenizer fails on the row.
    Chat,
}

impl SkipReason {
    /// The reason as reports and `results.json` name it, such as `too-long`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::NotAnObject => "not-an-object",
            Self::MissingField => "missing-field",
            Self::WrongType => "wrong-type",
            Self::Template => "template",
            Self::TooFewCandidates => "too-few-candidates",
            Self::IdenticalAnswers => "identical-answers",
            Self::NoSharedPrompt => "no-shared-prompt",
            Self::NoPartner => "no-partner",
            Self::Tied => "tied",
            Self::Unlabelled => "unlabelled",
            Self::GoldOutOfRange => "gold-out-of-range",
            Self::TooLong => "too-long",
            Self::Chat => "chat",
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is wrong with one row.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct RowProblem {
    /// The kind of problem.
    pub reason: SkipReason,
    /// The problem in words.
    pub message: String,
}

impl RowProblem {
    pub(crate) fn new(reason: SkipReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// A row that was skipped: where it is and what is wrong.
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
    reasons: BTreeMap<SkipReason, (usize, Vec<SkippedRow>)>,
}

impl Skipped {
    /// Number of rows skipped, for whatever reason.
    pub fn total(&self) -> usize {
        self.reasons.values().map(|(count, _)| count).sum()
    }

    /// Number of rows skipped for each reason.
    pub fn counts(&self) -> BTreeMap<SkipReason, usize> {
        self.reasons.iter().map(|(&reason, (count, _))| (reason, *count)).collect()
    }

    /// The first few rows that were skipped for a reason.
    pub fn examples(&self, reason: SkipReason) -> &[SkippedRow] {
        self.reasons.get(&reason).map_or(&[], |(_, rows)| rows)
    }

    pub(crate) fn add(&mut self, place: String, problem: RowProblem) {
        let (count, rows) = self.reasons.entry(problem.reason).or_default();
        *count += 1;
        if rows.len() < KEPT {
            rows.push(SkippedRow { place, message: problem.message });
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
