//! [`PrefixRow`]: candidate sets whose prompts begin with the same tokens.

use super::candidate_set::CandidateSet;

/// Candidate sets whose prompts begin with the same tokens, such as examples or a passage: a row of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct PrefixRow<'a> {
    /// Number of tokens that all prompts begin with. It is less than the length of each prompt, or the whole prompt of a single set.
    pub prefix: usize,
    /// The sets.
    pub sets: Vec<&'a CandidateSet>,
}

impl<'a> PrefixRow<'a> {
    /// A row of one set.
    pub fn alone(set: &'a CandidateSet) -> Self {
        Self { prefix: set.prompt.len(), sets: vec![set] }
    }

    /// Number of tokens when the prefix and each prompt are stored once.
    pub fn packed_len(&self) -> usize {
        self.prefix + self.sets.iter().map(|set| set.packed_len() - self.prefix).sum::<usize>()
    }
}
