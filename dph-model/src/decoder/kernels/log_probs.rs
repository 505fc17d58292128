//! Log-probabilities without the logits of all tokens in memory.

use burn::tensor::Tensor;

use super::target_token::TargetToken;

/// Log-probabilities of the target tokens, in their order, or `None` if no kernel applies.
///
/// # Shapes
///
/// - states: `[states, width]`, one for each distinct state of `targets`
/// - matrix: `[vocab, width]`
pub(crate) fn log_probs(states: &Tensor<2>, matrix: &Tensor<2>, targets: &[TargetToken]) -> Option<Vec<f32>> {
    #[cfg(feature = "flex")]
    return super::flex::log_probs(states, matrix, targets);
    #[cfg(not(feature = "flex"))]
    {
        let _ = (states, matrix, targets);
        None
    }
}
