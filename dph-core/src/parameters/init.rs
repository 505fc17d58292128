//! Seeded initial weights, the same on every backend.

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// A source of initial weights. They are drawn on the host from a ChaCha stream, so a seed gives the same weights on
/// every device.
pub struct WeightInit(ChaCha8Rng);

impl WeightInit {
    /// A source for the given seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Weights from a normal distribution with mean 0 and the given standard deviation.
    pub fn normal<const D: usize>(&mut self, shape: [usize; D], std: f32) -> TensorData {
        let count = shape.iter().product();
        let weights: Vec<f32> =
            StandardNormal.sample_iter(&mut self.0).take(count).map(|x: f32| x * std).collect();
        TensorData::new(weights, shape)
    }

    /// A linear layer with the initial weights of the paper's backbone: normal with standard deviation 0.02, bias 0.
    pub(crate) fn linear(&mut self, d_in: usize, d_out: usize, bias: bool, device: &Device) -> Linear {
        Linear {
            weight: Param::from_tensor(Tensor::from_data(self.normal([d_in, d_out], 0.02), device)),
            bias: bias.then(|| Param::from_tensor(Tensor::zeros([d_out], device))),
        }
    }

    /// A random matrix `[rows, columns]` whose columns are orthogonal and of length 1. There are at least as many rows
    /// as columns.
    pub(crate) fn orthonormal(&mut self, rows: usize, columns: usize) -> TensorData {
        let mut basis: Vec<Vec<f64>> = Vec::with_capacity(columns);
        while basis.len() < columns {
            let mut vector: Vec<f64> = StandardNormal.sample_iter(&mut self.0).take(rows).collect();
            // Twice, since rounding leaves a small component along the others the first time.
            for other in basis.iter().chain(&basis) {
                let share: f64 = vector.iter().zip(other).map(|(x, y)| x * y).sum();
                vector.iter_mut().zip(other).for_each(|(x, y)| *x -= share * y);
            }
            let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
            vector.iter_mut().for_each(|x| *x /= length);
            basis.push(vector);
        }
        let values: Vec<f32> =
            (0..rows).flat_map(|row| basis.iter().map(move |column| column[row] as f32)).collect();
        TensorData::new(values, [rows, columns])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_weights_and_the_asked_for_spread() {
        let weights = WeightInit::new(7).normal([100, 100], 0.02);
        assert_eq!(weights, WeightInit::new(7).normal([100, 100], 0.02));
        assert_ne!(weights, WeightInit::new(8).normal([100, 100], 0.02));
        let weights: Vec<f32> = weights.try_to_vec().unwrap();
        let mean = weights.iter().sum::<f32>() / 1e4;
        let std = (weights.iter().map(|w| w * w).sum::<f32>() / 1e4).sqrt();
        assert!(mean.abs() < 1e-3 && (std - 0.02).abs() < 1e-3, "mean {mean}, standard deviation {std}");
    }

    #[test]
    fn the_columns_of_an_orthonormal_matrix_are_orthogonal_and_of_length_1() {
        let device = Device::flex();
        let matrix = Tensor::<2>::from_data(WeightInit::new(3).orthonormal(12, 7), &device);
        let products = matrix.clone().transpose().matmul(matrix);
        let worst = (products - Tensor::eye(7, &device)).abs().max().into_scalar::<f32>();
        assert!(worst < 1e-6, "off by {worst}");
    }
}
