//! Seeded initial weights, the same on every backend.

use burn::tensor::TensorData;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// A source of initial weights. They are drawn on the host from a ChaCha stream, so that a seed gives the same
/// weights whatever the device.
pub struct WeightInit(ChaCha8Rng);

impl WeightInit {
    /// A source for the given seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Weights of a normal distribution with mean 0 and the given standard deviation.
    pub fn normal<const D: usize>(&mut self, shape: [usize; D], std: f32) -> TensorData {
        let count = shape.iter().product();
        let weights: Vec<f32> =
            StandardNormal.sample_iter(&mut self.0).take(count).map(|x: f32| x * std).collect();
        TensorData::new(weights, shape)
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
}
