//! [`Generation`]: prompts for greedy generation on both sides.

use serde_json::{Value, json};

/// Number of first tokens of every answer that must be equal on both sides. Later, rounding may select different tokens where two
/// tokens have nearly the same probability, and all following tokens differ.
pub const AGREED: usize = 16;

/// Prompts and settings of a generation job.
pub struct Generation {
    pub prompts: Vec<Vec<u32>>,
    /// Number of prompts in a batch.
    pub batch: usize,
    /// Number of tokens of each answer.
    pub tokens: usize,
}

impl Generation {
    /// The first tokens of the first answers.
    pub fn beginning(&self) -> Self {
        Self { prompts: self.prompts[..self.batch].to_vec(), batch: self.batch, tokens: 2 }
    }

    /// The job as JSON for the other side.
    pub fn json(&self) -> Value {
        json!({ "prompts": self.prompts, "batch": self.batch, "tokens": self.tokens })
    }

    /// The number of equal first tokens of each answer.
    pub fn agreeing(&self, ours: &[f64], other: &[f64]) -> Vec<usize> {
        let answer = |tokens: &[f64], index: usize| {
            let first = (index * self.tokens).min(tokens.len());
            tokens[first..(first + self.tokens).min(tokens.len())].to_vec()
        };
        let same = |index| {
            answer(ours, index)
                .iter()
                .zip(answer(other, index))
                .take_while(|(ours, other)| **ours == *other)
                .count()
        };
        (0..self.prompts.len()).map(same).collect()
    }
}
