//! A regulariser that keeps the columns of matrices orthogonal and of length 1.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// `β Σ ‖WᵀW - 1‖`, the Frobenius norm, over matrices W: 0 if and only if the columns of each are orthogonal and of length
/// 1. It keeps several reward heads from becoming the same one.
///
/// The source is the authors' follow-up repository (Avelina9X/memory-transformer-pt4).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OrthogonalityObjective {
    /// The factor β.
    pub beta: f64,
}

impl Default for OrthogonalityObjective {
    fn default() -> Self {
        Self { beta: 0.01 }
    }
}

impl OrthogonalityObjective {
    /// The loss of matrices, such as [those of a head](crate::PreferenceHead::orthogonal_matrices): `[1]`.
    ///
    /// # Shapes
    ///
    /// - matrices: `[d, n]` each, of any sizes
    pub fn forward(&self, matrices: &[Tensor<2>], device: &Device) -> Tensor<1> {
        let norms = matrices.iter().map(|matrix| {
            let columns = matrix.dims()[1];
            let products = matrix.clone().transpose().matmul(matrix.clone());
            let distance = products - Tensor::<2>::eye(columns, &matrix.device()).cast(matrix.dtype());
            // The root has no slope at 0, where there is nothing to improve.
            distance.square().sum().clamp_min(SMALLEST).sqrt()
        });
        norms.reduce(|sum, norm| sum + norm).unwrap_or_else(|| Tensor::zeros([1], device)) * self.beta
    }
}

/// Squared distance below which matrices count as orthogonal.
const SMALLEST: f64 = 1e-30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orthogonal_columns_of_length_1_cost_nothing_and_get_no_gradient() {
        let device = Device::flex().autodiff();
        let matrix = Tensor::<2>::from_data([[0.0, 1.0], [0.0, 0.0], [1.0, 0.0]], &device).require_grad();
        let loss = OrthogonalityObjective::default().forward(std::slice::from_ref(&matrix), &device);
        let gradients = loss.backward();
        assert!(loss.into_scalar::<f32>() < 1e-12);
        let gradient = matrix.grad(&gradients).unwrap();
        assert!(gradient.into_data().iter::<f32>().all(|x| x == 0.0));
    }
}
