//! Token pooling: from the states of all tokens to one vector for each candidate.

use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::Batch;

/// How the states of a sequence's tokens become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenPooling {
    /// The state of the last end-of-turn token, which has seen the whole answer.
    #[default]
    EndOfTurn,
}

impl TokenPooling {
    /// One vector for each candidate of `batch`.
    ///
    /// # Shapes
    ///
    /// - states: `[rows, seq, d_model]`, those of one layer for this batch
    /// - output: `[candidates, d_model]`
    pub fn forward(&self, states: Tensor<3>, batch: &Batch) -> Tensor<2> {
        match self {
            TokenPooling::EndOfTurn => select_tokens(states, &batch.ends),
        }
    }
}

/// The states at the given flat token indices (`row * seq + column`).
///
/// # Shapes
///
/// - states: `[rows, seq, d_model]`
/// - output: `[tokens, d_model]`
pub(crate) fn select_tokens(states: Tensor<3>, tokens: &[usize]) -> Tensor<2> {
    let [rows, seq, d_model] = states.dims();
    let indices: Vec<i32> = tokens.iter().map(|&token| token as i32).collect();
    let count = indices.len();
    let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [count]), &states.device());
    states.reshape([rows * seq, d_model]).select(0, indices)
}
