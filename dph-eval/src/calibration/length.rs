//! What the length of an answer has to do with its value.

use serde::{Deserialize, Serialize};

use crate::metrics::{pearson, spearman};

/// Groups by length.
const GROUPS: usize = 4;

/// Documents whose right answer has a similar length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LengthGroup {
    /// Tokens of the shortest right answer.
    pub from: usize,
    /// Tokens of the longest right answer.
    pub to: usize,
    /// The number of documents.
    pub documents: usize,
    /// The share of documents whose choice is right.
    pub accuracy: f64,
}

/// The correlation of the values of candidates with their lengths in tokens; null if one side is constant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LengthCorrelation {
    /// Pearson's.
    pub pearson: Option<f64>,
    /// Spearman's.
    pub spearman: Option<f64>,
}

/// The accuracy by the length of the right answer, in groups of about equally many documents; equal lengths are in one group.
pub(crate) fn by_length(mut documents: Vec<(usize, bool)>) -> Vec<LengthGroup> {
    documents.sort_unstable();
    let mut groups = Vec::new();
    let mut start = 0;
    for group in 1..=GROUPS {
        let mut end = group * documents.len() / GROUPS;
        while end > start && end < documents.len() && documents[end].0 == documents[end - 1].0 {
            end += 1;
        }
        if end <= start {
            continue;
        }
        let part = &documents[start..end];
        groups.push(LengthGroup {
            from: part[0].0,
            to: part[part.len() - 1].0,
            documents: part.len(),
            accuracy: part.iter().filter(|(_, right)| *right).count() as f64 / part.len() as f64,
        });
        start = end;
    }
    groups
}

impl LengthCorrelation {
    /// The correlation of values and tokens.
    pub(crate) fn new(candidates: &[(f64, usize)]) -> Self {
        let (values, tokens): (Vec<f64>, Vec<f64>) =
            candidates.iter().map(|&(value, tokens)| (value, tokens as f64)).unzip();
        let finite = |value: f64| Some(value).filter(|value| value.is_finite());
        Self { pearson: finite(pearson(&values, &tokens)), spearman: finite(spearman(&values, &tokens)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lengths_are_in_one_group() {
        let documents =
            [(1, true), (1, false), (1, true), (2, true), (3, false), (9, false), (9, true), (9, true)];
        let groups: Vec<(usize, usize, usize)> = by_length(documents.to_vec())
            .iter()
            .map(|group| (group.from, group.to, group.documents))
            .collect();
        assert_eq!(groups, [(1, 1, 3), (2, 2, 1), (3, 9, 4)]);
        assert!(by_length(Vec::new()).is_empty());
        assert_eq!(by_length(vec![(7, true)])[0].accuracy, 1.0);
    }

    #[test]
    fn the_longer_the_better() {
        let found = LengthCorrelation::new(&[(0.1, 1), (0.2, 2), (0.9, 3)]);
        assert_eq!(found.spearman, Some(1.0));
        assert_eq!(LengthCorrelation::new(&[(0.1, 1), (0.2, 1)]).pearson, None);
    }
}
