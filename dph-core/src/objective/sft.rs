//! Supervised training of the language model, and token accuracy.

use burn::tensor::{Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pairs::Average;
use super::term::{Term, TrainingMetric};

/// The language-model loss: the mean negative log-probability, in nats, of the target tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SftObjective {
    /// Weight of this loss in the sum over all objectives.
    pub weight: f64,
}

impl Default for SftObjective {
    fn default() -> Self {
        Self { weight: 1.0 }
    }
}

impl SftObjective {
    /// What [`forward`](Self::forward) reports: the loss.
    pub const METRICS: [TrainingMetric; 1] = [TrainingMetric::lower("sft/loss")];

    /// The mean loss over all targets; 0 without targets. All targets have the same weight, independent of their
    /// answer.
    ///
    /// # Shapes
    ///
    /// - log_probs: `[targets]`
    pub fn forward(&self, log_probs: Tensor<1>) -> Term {
        Term::new(self.weight, Average::equal().mean(-log_probs), Self::METRICS, [])
    }
}

/// The fraction of target tokens that have the highest logit, `[1]`; 0 without tokens.
///
/// # Shapes
///
/// - logits: `[tokens, vocab]`
/// - targets: `[tokens]`
pub fn token_accuracy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let [tokens, _] = logits.dims();
    if tokens == 0 {
        return Tensor::zeros([1], (&logits.device(), logits.dtype()));
    }
    let dtype = logits.dtype();
    logits.detach().argmax(1).squeeze_dim::<1>(1).equal(targets).float().cast(dtype).mean()
}
