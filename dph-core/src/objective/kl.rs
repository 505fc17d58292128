//! The Kullback-Leibler divergence from a reference model.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pairs::{Average, Pairs};
use super::term::{Term, TrainingMetric};

/// The Kullback-Leibler divergence of the language model from a frozen reference, over the tokens of chosen and of
/// rejected answers.
///
/// The divergence at a token is `KL(reference ‖ policy) = Σ exp(ρ) (ρ - π)` over the vocabulary, with π and ρ the
/// log-probabilities of the model in training and of the reference; the divergence of an answer is the *sum* over its
/// targets. The loss is
///
/// `share * KL₊ + (1 - share) * KL₋`,
///
/// averaged over the pairs (the authors' follow-up code).
///
/// It needs whole distributions and is therefore computed in chunks of tokens:
///
/// ```
/// # if cfg!(feature = "flex") {
/// use burn::tensor::{Device, Tensor, activation::log_softmax};
/// use dph_core::{KlObjective, Pairs, SequenceReduction, Target};
///
/// let device = Device::flex();
/// // Two scored tokens of candidate 0 and one of candidate 1; the distributions of two tokens, then of one.
/// let targets = [0, 0, 1].map(|candidate| Target { state: 0, token: 0, candidate });
/// let chunk = |tokens| log_softmax(Tensor::<2>::ones([tokens, 50], &device), 1);
/// let by_token = [2, 1].map(|tokens| KlObjective::divergence(chunk(tokens), chunk(tokens)));
/// let by_answer = SequenceReduction::Sum.by_candidate(Tensor::cat(by_token.into(), 0), &targets, 2);
/// let term = KlObjective::default().forward_pairs(by_answer, &Pairs::all([(0..2, 0)]));
/// assert_eq!(term.loss.into_scalar::<f32>(), 0.0);
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KlObjective {
    /// Weight of this loss in the sum over all objectives. As divergences are summed over tokens, it is less than 1.
    pub weight: f64,
    /// Weight of the chosen answers in the loss, from 0 to 1.
    pub chosen_share: f64,
}

impl Default for KlObjective {
    fn default() -> Self {
        Self { weight: 0.2, chosen_share: 0.5 }
    }
}

impl KlObjective {
    /// What [`forward`](Self::forward) reports: the loss, and the mean divergences of the chosen and of the rejected
    /// answers.
    pub const METRICS: [TrainingMetric; 3] = [
        TrainingMetric::lower("kl/loss"),
        TrainingMetric::lower("kl/chosen"),
        TrainingMetric::lower("kl/rejected"),
    ];

    /// The divergence at each token, in nats.
    ///
    /// # Shapes
    ///
    /// - policy: `[tokens, vocab]`, log-probabilities of the model in training
    /// - reference: `[tokens, vocab]`, log-probabilities of the frozen reference, detached, unless gradients should
    ///   flow into it
    /// - output: `[tokens]`
    pub fn divergence(policy: Tensor<2>, reference: Tensor<2>) -> Tensor<1> {
        (reference.clone().exp() * (reference - policy)).sum_dim(1).squeeze_dim(1)
    }

    /// The loss of pairs of answers, all with the same weight.
    ///
    /// # Shapes
    ///
    /// - chosen: `[pairs]`, divergences summed over the answer's tokens
    /// - rejected: `[pairs]`, the same
    pub fn forward(&self, chosen: Tensor<1>, rejected: Tensor<1>) -> Term {
        self.term(chosen, rejected, &Average::equal())
    }

    /// The loss over `pairs` of candidates. [`Pairs::all`] gives the loss over whole candidate sets.
    ///
    /// # Shapes
    ///
    /// - divergences: `[candidates]`, summed over the answer's tokens
    pub fn forward_pairs(&self, divergences: Tensor<1>, pairs: &Pairs) -> Term {
        let (chosen, rejected) = pairs.split(&divergences);
        self.term(chosen, rejected, &pairs.average(&divergences))
    }

    fn term(&self, chosen: Tensor<1>, rejected: Tensor<1>, average: &Average) -> Term {
        let (chosen, rejected) = (average.mean(chosen), average.mean(rejected));
        let loss = chosen.clone() * self.chosen_share + rejected.clone() * (1.0 - self.chosen_share);
        Term::new(self.weight, loss, Self::METRICS, [chosen, rejected])
    }
}
