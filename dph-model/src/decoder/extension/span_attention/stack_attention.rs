//! [`StackAttention`]: the attention of one stack.

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;

use super::composed;
use super::stack::{Attended, StackGradients, StackInputs};

/// A backend that computes the attention of a stack: by operations that every backend has, or by its own kernel.
pub(super) trait StackAttention: Backend {
    /// Weighted values of the queries and their log-sum-exp.
    fn attend(inputs: StackInputs<Self>) -> Attended<Self> {
        composed::attend(inputs)
    }

    /// Gradients from the gradient of the output.
    ///
    /// The queries may attend to further keys, of other stacks. `attended` holds output and log-sum-exp over all keys.
    fn differentiate(
        inputs: StackInputs<Self>,
        attended: Attended<Self>,
        gradient: FloatTensor<Self>,
    ) -> StackGradients<Self> {
        composed::differentiate(inputs, attended, gradient)
    }
}

#[cfg(feature = "flex")]
impl StackAttention for burn::backend::Flex {}

#[cfg(any(feature = "wgpu", feature = "vulkan", feature = "cuda"))]
impl StackAttention for burn::backend::Cube {}
