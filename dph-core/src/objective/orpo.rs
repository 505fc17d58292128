//! Odds Ratio Preference Optimisation (arXiv 2403.07691).

use burn::tensor::{Tensor, activation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pairs::{Average, Pairs};
use super::term::{Term, TrainingMetric};

/// Added to the probability against an answer, so that its odds are finite if the probability of the answer is 1. The
/// value is from the authors' code.
const DOUBT: f64 = 1e-5;

/// Odds Ratio Preference Optimisation: supervised training on the chosen answer, and a penalty if its odds are not
/// higher than the odds of the rejected answer. It needs no reference model.
///
/// With m the *mean* log-probability of an answer's tokens and its log-odds `o = m - log(1 - exp(m) + 1e-5)`, the loss of
/// a pair is
///
/// `-likelihood * m₊ - odds_ratio * log σ(o₊ - o₋)`,
///
/// averaged over the pairs. The 1e-5 is from the authors' follow-up code. It keeps the loss and its gradient finite
/// if the probability of an answer is 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OrpoObjective {
    /// Weight of this loss in the sum over all objectives.
    pub weight: f64,
    /// Weight of the odds ratio within the loss (λ in the paper on ORPO).
    pub odds_ratio: f64,
    /// Weight of the likelihood of the chosen answer within the loss; 0 if there is an `sft` objective.
    pub likelihood: f64,
}

impl Default for OrpoObjective {
    fn default() -> Self {
        Self { weight: 1.0, odds_ratio: 0.25, likelihood: 1.0 }
    }
}

impl OrpoObjective {
    /// What [`forward`](Self::forward) reports: the loss, the mean of m of the chosen and of the rejected answers,
    /// the fraction of pairs in which m of the chosen answer is higher, the mean of o₊ - o₋, and the mean of log σ(o₊
    /// - o₋).
    pub const METRICS: [TrainingMetric; 6] = [
        TrainingMetric::lower("orpo/loss"),
        TrainingMetric::higher("orpo/chosen"),
        TrainingMetric::lower("orpo/rejected"),
        TrainingMetric::higher("orpo/accuracy"),
        TrainingMetric::higher("orpo/log-odds"),
        TrainingMetric::higher("orpo/log-odds-ratio"),
    ];

    /// The loss of pairs of answers, all with the same weight.
    ///
    /// # Shapes
    ///
    /// - chosen: `[pairs]`, mean log-probabilities of the tokens, at most 0
    /// - rejected: `[pairs]`, the same
    pub fn forward(&self, chosen: Tensor<1>, rejected: Tensor<1>) -> Term {
        self.term(chosen, rejected, &Average::equal())
    }

    /// The loss over `pairs` of candidates. [`Pairs::all`] gives the loss over whole candidate sets.
    ///
    /// # Shapes
    ///
    /// - log_probs: `[candidates]`, mean log-probabilities of the tokens, at most 0
    pub fn forward_pairs(&self, log_probs: Tensor<1>, pairs: &Pairs) -> Term {
        let (chosen, rejected) = pairs.split(&log_probs);
        self.term(chosen, rejected, &pairs.average(&log_probs))
    }

    fn term(&self, chosen: Tensor<1>, rejected: Tensor<1>, average: &Average) -> Term {
        let log_odds = log_odds(chosen.clone()) - log_odds(rejected.clone());
        let ratio = average.mean(activation::log_sigmoid(log_odds.clone()));
        let accuracy = average.share_above(chosen.clone(), rejected.clone());
        let chosen = average.mean(chosen);
        let loss = chosen.clone() * -self.likelihood - ratio.clone() * self.odds_ratio;
        let values = [chosen, average.mean(rejected), accuracy, average.mean(log_odds), ratio];
        Term::new(self.weight, loss, Self::METRICS, values)
    }
}

/// `log(p / (1 - p))` of `log p`, up to [`DOUBT`].
fn log_odds(log_probs: Tensor<1>) -> Tensor<1> {
    let against = -log_probs.clone().exp() + (1.0 + DOUBT);
    log_probs - against.log()
}
