//! Products of states, which are always f32, with matrices that may be of fewer bits.
//!
//! A product is computed in the type of its matrix, and its result is f32 again. So norms, the attention and the residual
//! stream keep their digits and their range whatever the weights are.

use burn::nn::Linear;
use burn::tensor::{Tensor, module};

/// What a layer makes of states: `[tokens, inputs]` to `[tokens, outputs]`.
pub(crate) fn linear(layer: &Linear, states: Tensor<2>) -> Tensor<2> {
    let weight = layer.weight.val();
    let bias = layer.bias.as_ref().map(|bias| bias.val());
    if weight.dtype() == states.dtype() {
        return module::linear(states, weight, bias);
    }
    let product = times(states, weight);
    match bias {
        Some(bias) => product + bias.unsqueeze(),
        None => product,
    }
}

/// `states · matrix`, in the type of the states.
pub(crate) fn times(states: Tensor<2>, matrix: Tensor<2>) -> Tensor<2> {
    let (of_states, of_matrix) = (states.dtype(), matrix.dtype());
    if of_states == of_matrix {
        return states.matmul(matrix);
    }
    states.cast(of_matrix).matmul(matrix).cast(of_states)
}
