//! Direct Preference Optimisation (arXiv 2305.18290) with label smoothing (cDPO, Mitchell 2023).

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pairs::{Average, Pairs};
use super::reduction::SequenceReduction;
use super::smoothed::smoothed_loss;
use super::term::{Term, TrainingMetric};

/// Direct Preference Optimisation: the language model is trained to prefer the chosen answer more strongly than a
/// frozen reference model does.
///
/// With π and ρ the log-probabilities of an answer under the model in training and under the reference, the implicit
/// reward of an answer is `h = β (π - ρ)`, and the loss of a pair
///
/// `-[(1-ε) log σ(h₊ - h₋) + ε log σ(h₋ - h₊)]`,
///
/// averaged over the pairs. It is computed through log σ, so it does not overflow.
///
/// The defaults are from the paper on Direct Preference Heads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DpoObjective {
    /// Weight of this loss in the sum over all objectives.
    pub weight: f64,
    /// β, greater than 0. With a higher value the model stays closer to the reference.
    pub beta: f64,
    /// Probability ε that a label is wrong, from 0 to 0.5.
    pub label_smoothing: f64,
    /// Log-probability of an answer: the `"sum"` or the `"mean"` over its tokens.
    pub log_probs: SequenceReduction,
}

impl Default for DpoObjective {
    fn default() -> Self {
        Self { weight: 1.0, beta: 0.1, label_smoothing: 0.1, log_probs: SequenceReduction::Sum }
    }
}

/// Log-probabilities (natural logarithm) of answers under two models, reduced as [`DpoObjective::log_probs`] says.
///
/// The caller computes them.
#[derive(Debug, Clone)]
pub struct AnswerLogProbs {
    /// Under the model in training, `[answers]`.
    pub policy: Tensor<1>,
    /// Under the frozen reference, `[answers]`; detached, unless gradients should flow into it.
    pub reference: Tensor<1>,
}

impl DpoObjective {
    /// What [`forward`](Self::forward) reports: the loss, the mean implicit rewards of the chosen and of the rejected
    /// answers, the share of pairs in which the chosen answer has the higher one, and the mean of h₊ - h₋.
    pub const METRICS: [TrainingMetric; 5] = [
        TrainingMetric::lower("dpo/loss"),
        TrainingMetric::higher("dpo/chosen"),
        TrainingMetric::lower("dpo/rejected"),
        TrainingMetric::higher("dpo/accuracy"),
        TrainingMetric::higher("dpo/margin"),
    ];

    /// The loss of pairs of answers, all with the same weight.
    ///
    /// # Shapes
    ///
    /// - chosen: `[pairs]`
    /// - rejected: `[pairs]`
    pub fn forward(&self, chosen: AnswerLogProbs, rejected: AnswerLogProbs) -> Term {
        self.term(self.reward(chosen), self.reward(rejected), &Average::equal())
    }

    /// The loss over `pairs` of candidates. [`Pairs::all`] gives the loss over whole candidate sets.
    ///
    /// # Shapes
    ///
    /// - candidates: `[candidates]`
    pub fn forward_pairs(&self, candidates: AnswerLogProbs, pairs: &Pairs) -> Term {
        let rewards = self.reward(candidates);
        let (chosen, rejected) = pairs.split(&rewards);
        self.term(chosen, rejected, &pairs.average(&rewards))
    }

    fn reward(&self, answers: AnswerLogProbs) -> Tensor<1> {
        (answers.policy - answers.reference) * self.beta
    }

    fn term(&self, chosen: Tensor<1>, rejected: Tensor<1>, average: &Average) -> Term {
        let difference = chosen.clone() - rejected.clone();
        let loss = average.mean(smoothed_loss(difference.clone(), self.label_smoothing));
        let accuracy = average.share_above(chosen.clone(), rejected.clone());
        let values = [average.mean(chosen), average.mean(rejected), accuracy, average.mean(difference)];
        Term::new(self.weight, loss, Self::METRICS, values)
    }
}
