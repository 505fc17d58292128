//! A penalty that keeps the rewards of a head near the log-likelihoods of the language model.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pairs::Pairs;
use super::term::{Term, TrainingMetric};

/// A penalty on rewards that order answers unlike the language model does.
///
/// With r₊, r₋ the rewards of the chosen and the rejected answer and ℓ₊, ℓ₋ their log-likelihoods under the model at the beginning of
/// the stage, as means per token in nats, the loss is
///
/// `((r₊ - r₋) - (ℓ₊ - ℓ₋))²`,
///
/// averaged over the pairs. With a large weight the head becomes a copy of the likelihood. The penalty is our own; the paper has none
/// of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LikelihoodObjective {
    /// Weight of this loss in the sum over all objectives.
    pub weight: f64,
}

impl Default for LikelihoodObjective {
    fn default() -> Self {
        Self { weight: 0.1 }
    }
}

impl LikelihoodObjective {
    /// What [`forward_pairs`](Self::forward_pairs) reports: the loss, and the fraction of pairs that rewards and log-likelihoods order alike.
    pub const METRICS: [TrainingMetric; 2] =
        [TrainingMetric::lower("likelihood/loss"), TrainingMetric::higher("likelihood/agreement")];

    /// The loss over `pairs` of candidates. [`Pairs::all`] gives the loss over whole candidate sets.
    ///
    /// # Shapes
    ///
    /// - rewards: `[candidates]`
    /// - log_likelihoods: `[candidates]`, means per token in nats, detached
    pub fn forward_pairs(&self, rewards: Tensor<1>, log_likelihoods: Tensor<1>, pairs: &Pairs) -> Term {
        let average = pairs.average(&rewards);
        let difference = |values: &Tensor<1>| {
            let (chosen, rejected) = pairs.split(values);
            chosen - rejected
        };
        let (reward, likelihood) = (difference(&rewards), difference(&log_likelihoods));
        let loss = average.mean((reward.clone() - likelihood.clone()).square());
        // Both differences have the same sign.
        let products = reward * likelihood;
        let agreement = average.share_above(products.clone(), products.zeros_like());
        Term::new(self.weight, loss, Self::METRICS, [agreement])
    }
}
