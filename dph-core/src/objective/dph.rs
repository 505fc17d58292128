//! The objectives of a preference head: the two of Direct Preference Heads (arXiv 2405.20053, section 3.3), and a listwise one.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::listwise::listwise_loss;
use super::pairs::Pairs;
use super::smoothed::smoothed_loss;
use super::term::{Term, TrainingMetric};

/// How the rewards of the chosen and the rejected answers enter the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DphForm {
    /// Each reward is a separate binary classification: chosen answers above 0, rejected answers below.
    #[default]
    Separable,
    /// The loss depends only on the difference (Bradley-Terry).
    Contrastive,
    /// The cross-entropy of the softmax over the rewards of all candidates of a set. For two candidates it is the contrastive loss.
    Listwise,
}

/// The value that [`DphObjective::penalty`] keeps near 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Penalised {
    /// Both rewards: r₊² + r₋² (`centered` in the authors' code).
    #[default]
    Rewards,
    /// The sum of a pair's rewards: (r₊ + r₋)². The rewards may grow, but stay symmetric around 0.
    Sum,
}

/// A Direct Preference Head objective.
///
/// With σ the logistic function, ε the label smoothing and r₊, r₋ the rewards of the chosen and the rejected answer:
///
/// - separable: `-[(1-ε) log σ(r₊) + ε log σ(-r₊)] - [(1-ε) log σ(-r₋) + ε log σ(r₋)]`
/// - contrastive: `-[(1-ε) log σ(r₊ - r₋) + ε log σ(r₋ - r₊)]`
/// - listwise, with p the softmax of the rewards of the K candidates of a set: `-(1-ε) log p₊ - ε/(K-1) Σ log p₋`, summed over the
///   K - 1 rejected answers. With ε = 0 it is the top-one loss of ListNet (Cao et al., ICML 2007) for one right answer, and the
///   multiple-choice loss of GPT-1 (Radford et al. 2018, section 3.3).
///
/// plus `penalty * (r₊² + r₋²)` or `penalty * (r₊ + r₋)²` (the penalty is from the authors' follow-up code), averaged
/// over the pairs, or the sets. Everything is computed through log σ or a logarithmic softmax, so it does not overflow.
///
/// The defaults are from the paper.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DphObjective {
    /// Weight of this loss in the sum over all objectives.
    pub weight: f64,
    /// `"separable"`, `"contrastive"` or `"listwise"`, which needs `negatives = "all"`.
    pub form: DphForm,
    /// Probability ε that a label is wrong, from 0 to 0.5.
    pub label_smoothing: f64,
    /// Strength of the penalty on large rewards; 0 for none.
    pub penalty: f64,
    /// The penalised value: `"rewards"` (each reward) or `"sum"` (the sum of a pair).
    pub penalised: Penalised,
}

impl Default for DphObjective {
    fn default() -> Self {
        Self {
            weight: 1.0,
            form: DphForm::Separable,
            label_smoothing: 0.1,
            penalty: 0.0,
            penalised: Penalised::Rewards,
        }
    }
}

impl DphObjective {
    /// What [`forward`](Self::forward) reports: the loss, the separable losses of the chosen and of the rejected
    /// answers for every form, the fraction of pairs in which the chosen answer has the higher reward, and the mean
    /// of r₊ - r₋.
    pub const METRICS: [TrainingMetric; 5] = [
        TrainingMetric::lower("dph/loss"),
        TrainingMetric::lower("dph/chosen"),
        TrainingMetric::lower("dph/rejected"),
        TrainingMetric::higher("dph/accuracy"),
        TrainingMetric::higher("dph/margin"),
    ];

    /// The loss of pairs of rewards, all with the same weight.
    ///
    /// # Shapes
    ///
    /// - chosen: `[pairs]`
    /// - rejected: `[pairs]`
    pub fn forward(&self, chosen: Tensor<1>, rejected: Tensor<1>) -> Term {
        let count = chosen.dims()[0];
        let pairs = (0..count).map(|index| (index, count + index)).collect();
        self.forward_pairs(Tensor::cat(vec![chosen, rejected], 0), &pairs)
    }

    /// The loss over `pairs` of candidates. [`Pairs::all`] gives the loss over whole candidate sets.
    ///
    /// For a set of K candidates the separable form is the loss of the gold candidate plus the mean loss of the K - 1
    /// others, and the contrastive form the mean loss of its K - 1 pairs. For sets of two all forms equal
    /// [`forward`](Self::forward).
    ///
    /// # Shapes
    ///
    /// - rewards: `[candidates]`
    pub fn forward_pairs(&self, rewards: Tensor<1>, pairs: &Pairs) -> Term {
        let (chosen, rejected) = pairs.split(&rewards);
        let average = pairs.average(&rewards);
        let smoothed = |x: Tensor<1>| average.mean(smoothed_loss(x, self.label_smoothing));
        let difference = chosen.clone() - rejected.clone();
        let chosen_loss = smoothed(chosen.clone());
        let rejected_loss = smoothed(-rejected.clone());
        let mut loss = match self.form {
            DphForm::Separable => chosen_loss.clone() + rejected_loss.clone(),
            DphForm::Contrastive => smoothed(difference.clone()),
            DphForm::Listwise => listwise_loss(rewards, pairs, self.label_smoothing),
        };
        if self.penalty != 0.0 {
            let squares = match self.penalised {
                Penalised::Rewards => chosen.clone().square() + rejected.clone().square(),
                Penalised::Sum => (chosen.clone() + rejected.clone()).square(),
            };
            loss = loss + average.mean(squares) * self.penalty;
        }
        let accuracy = average.share_above(chosen, rejected);
        let margin = average.mean(difference);
        Term::new(self.weight, loss, Self::METRICS, [chosen_loss, rejected_loss, accuracy, margin])
    }
}
