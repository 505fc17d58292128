//! [`Pooler`]: one vector per sequence, and class logits.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;

use super::product::linear;

/// `tanh(W x + b)` of the state of a sequence's first token, and class logits (BERT, arXiv 1810.04805).
#[derive(Module, Debug)]
pub struct Pooler {
    /// `[d_model, d_model]`.
    pub dense: Linear,
    /// `[d_model, labels]`.
    pub classifier: Option<Linear>,
}

impl Pooler {
    /// One vector for each row: `[rows, seq, d_model]` to `[rows, d_model]`.
    pub fn forward(&self, last: Tensor<3>) -> Tensor<2> {
        self.pool(first_states(last))
    }

    /// One vector for each of the states of first tokens, `[rows, d_model]` to `[rows, d_model]`.
    pub fn pool(&self, first: Tensor<2>) -> Tensor<2> {
        linear(&self.dense, first).tanh()
    }

    /// The logits of the classes for these vectors, `[rows, labels]`; `None` without classes.
    pub fn classify(&self, vectors: Tensor<2>) -> Option<Tensor<2>> {
        self.classifier.as_ref().map(|classifier| linear(classifier, vectors))
    }
}

/// The states of the first tokens, `[rows, seq, d_model]` to `[rows, d_model]`.
pub(crate) fn first_states(last: Tensor<3>) -> Tensor<2> {
    last.narrow(1, 0, 1).squeeze_dim(1)
}
