//! Log-probabilities without the logits of all tokens in memory.

use burn::tensor::Tensor;

use super::target_token::TargetToken;

type Kernel = fn(&Tensor<2>, &Tensor<2>, &[TargetToken]) -> Option<Vec<f32>>;

/// Log-probabilities of the target tokens, in their order, or `None` if no kernel applies.
///
/// # Shapes
///
/// - states: `[states, width]`, one for each distinct state of `targets`
/// - matrix: `[vocab, width]`
pub(crate) fn log_probs(states: &Tensor<2>, matrix: &Tensor<2>, targets: &[TargetToken]) -> Option<Vec<f32>> {
    let kernels: &[Kernel] = &[
        #[cfg(feature = "flex")]
        super::flex::log_probs,
        #[cfg(all(feature = "flex", feature = "tch"))]
        super::libtorch::log_probs,
    ];
    kernels.iter().find_map(|kernel| kernel(states, matrix, targets))
}
