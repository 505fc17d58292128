//! Shifts along the tokens of sequences, used by scans.

use burn::tensor::Tensor;

/// Moves the states by `by` tokens towards the end and fills the free positions with `fill`.
///
/// # Shapes
///
/// - states: `[count, len, width]`
/// - output: `[count, len, width]`
pub(super) fn shift(states: Tensor<3>, by: usize, fill: f64) -> Tensor<3> {
    let [count, len, width] = states.dims();
    let free = Tensor::full([count, by, width], fill, &states.device());
    Tensor::cat(vec![free, states.narrow(1, 0, len - by)], 1)
}
