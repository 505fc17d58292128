//! Regression of several attributes of an answer, each with its own reward head.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::term::{Term, TrainingMetric};
use crate::select::select_rows;

/// Multi-attribute steering: reward heads are trained to predict human ratings of attributes of an answer, such as
/// helpfulness, humour and verbosity.
///
/// The loss of an attribute is the weighted squared error `Σ w (r - y)²` over the selected positions of a sequence, with r
/// the head's reward at a position, y the sequence's label and w the position's weight, averaged over the sequences.
/// The loss is the mean over the attributes (the authors' follow-up code, where the weights of a sequence sum to 1).
/// Without [`probes`](Self::probes), the only position is the end of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SteerObjective {
    /// Weight of this loss in the sum over all objectives.
    pub weight: f64,
    /// Number of random positions of each answer at which the rewards are trained, in addition to its last token: the reward of the
    /// answer as if it ended there. The positions are drawn for each epoch. An earlier position counts less: the weight of the n-th
    /// token of an answer is in proportion to n. The authors' follow-up code uses 15.
    #[serde(skip_serializing_if = "is_zero")]
    pub probes: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Default for SteerObjective {
    fn default() -> Self {
        Self { weight: 1.0, probes: 0 }
    }
}

/// Rewards at selected positions of labelled sequences.
#[derive(Debug, Clone)]
pub struct SteerBatch {
    /// The rewards of every attribute's head, `[positions, attributes]`.
    pub rewards: Tensor<2>,
    /// Weight of each position within its sequence, `[positions]`.
    pub weights: Tensor<1>,
    /// The sequence of each position, as an index into the labels.
    pub sequences: Vec<usize>,
    /// The target values of each sequence's attributes, `[sequences, attributes]`.
    pub labels: Tensor<2>,
}

/// The loss of a [`SteerBatch`].
#[derive(Debug, Clone)]
pub struct SteerLoss {
    /// The mean over the attributes.
    pub term: Term,
    /// The loss of each attribute, `[attributes]`, detached.
    pub attributes: Tensor<1>,
}

impl SteerObjective {
    /// What [`forward`](Self::forward) reports in its term: the loss.
    pub const METRICS: [TrainingMetric; 1] = [TrainingMetric::lower("steer/loss")];

    /// The weights of positions of an answer, which count from 0: in proportion to the number of its tokens up to the position, with the
    /// sum 1.
    pub fn position_weights(positions: &[usize]) -> Vec<f32> {
        let all: f64 = positions.iter().map(|&position| (position + 1) as f64).sum();
        positions.iter().map(|&position| ((position + 1) as f64 / all) as f32).collect()
    }

    /// The loss of a batch; 0 without positions.
    ///
    /// # Panics
    ///
    /// If the shapes do not match, or a position belongs to a sequence without labels.
    pub fn forward(&self, batch: SteerBatch) -> SteerLoss {
        let SteerBatch { rewards, weights, sequences, labels } = batch;
        let [positions, attributes] = rewards.dims();
        let [count, _] = labels.dims();
        assert_eq!(labels.dims()[1], attributes, "a label is needed for each attribute");
        assert_eq!(sequences.len(), positions, "a sequence is needed for each position");
        assert!(sequences.iter().all(|&sequence| sequence < count), "every sequence needs labels");
        if positions == 0 {
            let attributes = labels.zeros_like().sum_dim(0).squeeze_dim(0);
            let term = Term::new(self.weight, rewards.sum(), Self::METRICS, []);
            return SteerLoss { term, attributes };
        }
        let errors = (rewards - select_rows(labels, sequences)).square() * weights.reshape([positions, 1]);
        let by_attribute: Tensor<1> = errors.sum_dim(0).squeeze_dim(0) / count as f64;
        let term = Term::new(self.weight, by_attribute.clone().mean(), Self::METRICS, []);
        SteerLoss { term, attributes: by_attribute.detach() }
    }
}
