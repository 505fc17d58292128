//! Products of f32 states with matrices that may be in half precision.
//!
//! A product is computed in the type of its matrix and converted to f32. So the precision and range of norms,
//! attention and the residual stream do not depend on the type of the weights.

use burn::nn::Linear;
use burn::tensor::Tensor;

use super::kernels;

/// A linear layer: `[tokens, inputs]` to `[tokens, outputs]`.
pub(crate) fn linear(layer: &Linear, states: Tensor<2>) -> Tensor<2> {
    let product = matmul_mixed(states, layer.weight.val());
    match &layer.bias {
        Some(bias) => product + bias.val().unsqueeze(),
        None => product,
    }
}

/// `states · matrix`, in the type of the states.
pub(crate) fn matmul_mixed(states: Tensor<2>, matrix: Tensor<2>) -> Tensor<2> {
    let (of_states, of_matrix) = (states.dtype(), matrix.dtype());
    if of_states == of_matrix {
        return kernels::product(&states, &matrix).unwrap_or_else(|| states.matmul(matrix));
    }
    states.cast(of_matrix).matmul(matrix).cast(of_states)
}
