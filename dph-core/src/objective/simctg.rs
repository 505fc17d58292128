//! The contrastive term of SimCTG (arXiv 2202.06417).

use burn::tensor::{Bool, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::term::{Term, TrainingMetric};

/// Lower bound of the squared norm of a hidden state, so that its direction is defined.
const SMALLEST_SQUARE: f64 = 1e-24;

/// The contrastive loss of SimCTG: it penalises similar hidden states within a sequence.
///
/// With s the cosine similarity of two hidden states, the loss is the mean of `max(0, margin - s(i, i) + s(i, j))`
/// over all tokens i ≠ j of a sequence. It is used together with an `sft` objective.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SimctgObjective {
    /// Weight of this loss in the sum over all objectives.
    pub weight: f64,
    /// Required distance of two states, from 0 to 2.
    pub margin: f64,
}

impl Default for SimctgObjective {
    fn default() -> Self {
        Self { weight: 1.0, margin: 0.5 }
    }
}

impl SimctgObjective {
    /// What [`forward`](Self::forward) reports: the loss.
    pub const METRICS: [TrainingMetric; 1] = [TrainingMetric::lower("simctg/loss")];

    /// The loss of whole sequences, one per row; 0 if no row has two tokens.
    ///
    /// # Shapes
    ///
    /// - states: `[rows, seq, d_model]`
    /// - tokens: `[rows, seq]`, false for padding
    pub fn forward(&self, states: Tensor<3>, tokens: Tensor<2, Bool>) -> Term {
        let [rows, seq, _] = states.dims();
        let dtype = states.dtype();
        let same = Tensor::<2>::eye(seq, &states.device()).cast(dtype).unsqueeze::<3>();
        let norms = states.clone().square().sum_dim(2).clamp_min(SMALLEST_SQUARE).sqrt();
        let directions = states / norms;
        let similar = directions.clone().matmul(directions.swap_dims(1, 2));
        let own = (similar.clone() * same.clone()).sum_dim(2);
        let too_close = (similar - own + self.margin).clamp_min(0.0);

        let tokens = tokens.float().cast(dtype);
        let pairs = tokens.clone().reshape([rows, seq, 1]).matmul(tokens.reshape([rows, 1, seq]));
        let pairs = pairs * (same.ones_like() - same);
        let loss = (too_close * pairs.clone()).sum() / pairs.sum().clamp_min(1.0);
        Term::new(self.weight, loss, Self::METRICS, [])
    }
}
