//! Products of states, which are always f32, with matrices that may be of fewer bits.
//!
//! A product is computed in the type of its matrix, and its result is f32 again. So norms, the attention and the residual
//! stream keep their digits and their range whatever the weights are.

use burn::nn::Linear;
use burn::tensor::Tensor;

use super::kernels;

/// What a layer makes of states: `[tokens, inputs]` to `[tokens, outputs]`.
pub(crate) fn linear(layer: &Linear, states: Tensor<2>) -> Tensor<2> {
    let product = times(states, layer.weight.val());
    match &layer.bias {
        Some(bias) => product + bias.val().unsqueeze(),
        None => product,
    }
}

/// `states · matrix`, in the type of the states.
pub(crate) fn times(states: Tensor<2>, matrix: Tensor<2>) -> Tensor<2> {
    let (of_states, of_matrix) = (states.dtype(), matrix.dtype());
    if of_states == of_matrix {
        return kernels::product(&states, &matrix).unwrap_or_else(|| states.matmul(matrix));
    }
    states.cast(of_matrix).matmul(matrix).cast(of_states)
}
