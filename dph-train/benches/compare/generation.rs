//! [`Generation`]: prompts that both sides answer greedily.

use serde_json::{Value, json};

/// So many tokens of every answer have to be the same on both sides. Further on, two that are nearly equally likely may be
/// told apart by the rounding of floats, and whatever follows then differs.
pub const AGREED: usize = 16;

/// Prompts to be continued.
pub struct Generation {
    pub prompts: Vec<Vec<u32>>,
    /// Prompts that are answered together.
    pub batch: usize,
    /// Tokens of each answer.
    pub tokens: usize,
}

impl Generation {
    /// The first tokens of the first answers.
    pub fn beginning(&self) -> Self {
        Self { prompts: self.prompts[..self.batch].to_vec(), batch: self.batch, tokens: 2 }
    }

    /// For the other side.
    pub fn json(&self) -> Value {
        json!({ "prompts": self.prompts, "batch": self.batch, "tokens": self.tokens })
    }

    /// How many tokens of each answer are the same, from its start.
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
