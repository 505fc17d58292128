//! Standardisation: every component of an aggregated vector on the same scale.
//!
//! The residual stream of a language model has a few components that are a hundred times larger than the others, and
//! a constant offset. The differences between candidates are in the small ones. The mean and the standard deviation
//! are computed from the training features and are not trained.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// A component with a smaller standard deviation counts as constant and is not scaled.
const SMALLEST: f32 = 1e-6;

/// `(x - mean) / std`, component by component.
#[derive(Module, Debug)]
pub struct Standardise {
    pub(crate) mean: Param<Tensor<1>>,
    pub(crate) std: Param<Tensor<1>>,
}

impl Standardise {
    /// The identity: mean 0, standard deviation 1.
    pub fn identity(d_model: usize, device: &Device) -> Self {
        Self::constant(Tensor::zeros([d_model], device), Tensor::ones([d_model], device))
    }

    /// The statistics of a sequence of vectors.
    pub fn from_vectors(
        vectors: impl Iterator<Item = impl AsRef<[f32]>>,
        d_model: usize,
        device: &Device,
    ) -> Self {
        let (mut count, mut sum, mut squares) = (0usize, vec![0f64; d_model], vec![0f64; d_model]);
        for vector in vectors {
            count += 1;
            for (i, &x) in vector.as_ref().iter().enumerate() {
                sum[i] += f64::from(x);
                squares[i] += f64::from(x) * f64::from(x);
            }
        }
        let count = count.max(1) as f64;
        let mean: Vec<f32> = sum.iter().map(|sum| (sum / count) as f32).collect();
        let std: Vec<f32> = sum
            .iter()
            .zip(&squares)
            .map(|(sum, squares)| (squares / count - (sum / count).powi(2)).max(0.0).sqrt() as f32)
            .map(|std| if std < SMALLEST { 1.0 } else { std })
            .collect();
        Self::constant(Tensor::from_data(&mean[..], device), Tensor::from_data(&std[..], device))
    }

    pub(crate) fn constant(mean: Tensor<1>, std: Tensor<1>) -> Self {
        let fixed = |tensor| Param::from_tensor(tensor).set_require_grad(false);
        Self { mean: fixed(mean), std: fixed(std) }
    }

    /// Applies it.
    ///
    /// # Shapes
    ///
    /// - input: `[n, d_model]`
    /// - output: `[n, d_model]`
    pub fn forward(&self, vectors: Tensor<2>) -> Tensor<2> {
        (vectors - self.mean.val().unsqueeze()) / self.std.val().unsqueeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_vectors_get_mean_0_and_deviation_1_and_constants_stay_finite() {
        let device = Device::flex();
        let vectors = [[100.0, -3.0, 5.0], [300.0, -1.0, 5.0]];
        let standardise = Standardise::from_vectors(vectors.iter(), 3, &device);
        let out = standardise.forward(Tensor::from_data(vectors, &device));
        let out: Vec<f32> = out.into_data().iter::<f32>().collect();
        assert_eq!(out, [-1.0, -1.0, 0.0, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn it_does_not_learn() {
        let device = Device::flex().autodiff();
        let standardise = Standardise::identity(2, &Device::flex()).train().fork(&device);
        let input = Tensor::<2>::ones([1, 2], &device).require_grad();
        let gradients = standardise.forward(input.clone()).sum().backward();
        assert!(input.grad(&gradients).is_some());
        assert!(standardise.mean.val().grad(&gradients).is_none());
        assert!(standardise.std.val().grad(&gradients).is_none());
    }
}
