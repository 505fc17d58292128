//! A penalty on matrices whose columns are not orthonormal.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::term::{Term, TrainingMetric};

/// Lower bound of the distance, since the gradient of a norm is undefined at 0.
const SMALLEST_SQUARE: f64 = 1e-24;

/// Orthogonality regularisation: the sum of `‖WᵀW - I‖` (Frobenius norm) over matrices W (the authors' follow-up
/// code; arXiv 1810.09102 uses its square).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OrthogonalityObjective {
    /// Weight of this loss in the sum over all objectives.
    pub weight: f64,
}

impl Default for OrthogonalityObjective {
    fn default() -> Self {
        Self { weight: 0.01 }
    }
}

impl OrthogonalityObjective {
    /// What [`forward`](Self::forward) reports: the loss.
    pub const METRICS: [TrainingMetric; 1] = [TrainingMetric::lower("orthogonality/loss")];

    /// The loss of several matrices; `None` if there are none.
    ///
    /// # Shapes
    ///
    /// - matrices: `[n, m]` each, with m columns that should be orthonormal. The weight of a burn `Linear` is
    ///   `[d_in, d_out]`, the transpose of the authors' layout.
    pub fn forward(&self, matrices: impl IntoIterator<Item = Tensor<2>>) -> Option<Term> {
        let loss = matrices.into_iter().map(distance).reduce(|sum, distance| sum + distance)?;
        Some(Term::new(self.weight, loss, Self::METRICS, []))
    }
}

fn distance(matrix: Tensor<2>) -> Tensor<1> {
    let [_, columns] = matrix.dims();
    let identity = Tensor::<2>::eye(columns, &matrix.device()).cast(matrix.dtype());
    let error = matrix.clone().transpose().matmul(matrix) - identity;
    error.square().sum().clamp_min(SMALLEST_SQUARE).sqrt()
}
