//! A penalty on matrices whose columns are not orthonormal.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::term::{Metric, Term};

/// Below this the distance is taken as it is, since the gradient of a norm is undefined at 0.
const SMALLEST_SQUARE: f64 = 1e-24;

/// Orthogonality regularisation: the sum of `‖WᵀW - I‖` (Frobenius norm) over matrices W (arXiv 1810.09102 has the
/// square of it; the authors' follow-up code has this).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OrthogonalityObjective {
    /// What the loss counts beside those of other objectives.
    pub weight: f64,
}

impl Default for OrthogonalityObjective {
    fn default() -> Self {
        Self { weight: 0.01 }
    }
}

impl OrthogonalityObjective {
    /// What [`forward`](Self::forward) reports: the loss.
    pub const METRICS: [Metric; 1] = [Metric::lower("orthogonality/loss")];

    /// The loss of some matrices; `None` without any.
    ///
    /// # Shapes
    ///
    /// - matrices: `[n, m]` each, of which the m columns are to be orthonormal. The weight of a burn `Linear` is
    ///   `[d_in, d_out]`, the transpose of that of the authors.
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
