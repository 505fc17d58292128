//! [`Stopping`]: no further answers where they are not worth their price.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Continuous, ContinuousCDF, Normal};

use crate::metrics::deviation;

/// Answers are generated in waves. After a wave nothing more is generated if the expected gain in reward by one more answer is
/// below its price.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stopping {
    /// Price of an answer, in units of the reward.
    pub price: f64,
    /// Number of answers in a wave, at least 2.
    #[serde(default = "wave")]
    pub wave: usize,
}

fn wave() -> usize {
    4
}

impl Stopping {
    /// A price, with waves of 4 answers.
    pub fn new(price: f64) -> Self {
        Self { price, wave: wave() }
    }

    /// Whether one more answer is not worth its price, given the rewards of the answers so far.
    pub(crate) fn is_enough(&self, rewards: &[f64]) -> bool {
        expected_gain(rewards).is_some_and(|gain| gain < self.price)
    }
}

/// The expected improvement over the best reward by one more answer, `σ (φ(z) - z (1 - Φ(z)))` with `z = (best - mean) / σ`, if
/// rewards are normally distributed with the mean and the standard deviation of these (Jones, Schonlau and Welch, 1998).
/// `None` for fewer than two rewards.
fn expected_gain(rewards: &[f64]) -> Option<f64> {
    let finite: Vec<f64> = rewards.iter().copied().filter(|reward| reward.is_finite()).collect();
    let deviation = deviation(&finite)?;
    if deviation == 0.0 {
        return Some(0.0);
    }
    let best = finite.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mean = finite.iter().sum::<f64>() / finite.len() as f64;
    let z = (best - mean) / deviation;
    let normal = Normal::standard();
    Some(deviation * (normal.pdf(z) - z * normal.sf(z)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gain_falls_with_the_lead_of_the_best_and_grows_with_the_spread() {
        // With the best at the mean of a standard normal distribution the gain would be 1/√(2π).
        let gain = |rewards: &[f64]| expected_gain(rewards).unwrap();
        let even = gain(&[-1.0, 1.0]);
        let z = 1.0 / 2f64.sqrt();
        let expected =
            2f64.sqrt() * ((-0.25f64).exp() / (2.0 * std::f64::consts::PI).sqrt() - z * 0.239_750_061);
        assert!((even - expected).abs() < 1e-6, "{even}, not {expected}");
        assert!(gain(&[0.0, 0.1, -0.1, 3.0]) < gain(&[0.0, 0.1, 2.9, 3.0]));
        assert!((gain(&[10.0, 20.0]) - 10.0 * gain(&[1.0, 2.0])).abs() < 1e-9);
        assert_eq!(gain(&[1.0, 1.0]), 0.0);
        assert_eq!(expected_gain(&[1.0, f64::NAN]), None);
        assert!(Stopping::new(0.5).is_enough(&[0.0, 0.1]) && !Stopping::new(0.5).is_enough(&[0.0]));
    }
}
