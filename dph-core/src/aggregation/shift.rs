//! Shifts along the tokens of sequences, of which scans are made.

use burn::tensor::Tensor;

/// The states moved to later tokens by so many places, with `fill` in the places that become free.
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
