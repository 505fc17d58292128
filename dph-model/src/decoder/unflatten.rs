//! From a list of tokens to rows.

use burn::tensor::Tensor;

/// `[rows · seq, d]` to `[rows, seq, d]`.
pub(crate) fn unflatten(states: Tensor<2>, rows: usize) -> Tensor<3> {
    let [tokens, width] = states.dims();
    states.reshape([rows, tokens / rows, width])
}
