//! The language-model head: from the last state to the logits of the next token.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::Tensor;

use super::product::linear;

/// The head of a decoder. The matrix of a tied head is the token embedding, which the decoder owns.
#[derive(Module, Debug)]
pub struct Head {
    /// From the hidden size to a factored embedding, `[d_model, d_vocab]`.
    pub projection: Option<Linear>,
    /// Output matrix of an untied head, `[vocab, embedding width]`.
    pub untied: Option<Param<Tensor<2>>>,
}

impl Head {
    /// The input of the output matrix: `[tokens, d_model]` to `[tokens, embedding width]`.
    pub fn project(&self, states: Tensor<2>) -> Tensor<2> {
        match &self.projection {
            Some(projection) => linear(projection, states),
            None => states,
        }
    }

    /// The output matrix, `[vocab, embedding width]`.
    pub fn matrix(&self, embedding: &Param<Tensor<2>>) -> Tensor<2> {
        self.untied.as_ref().unwrap_or(embedding).val()
    }
}
