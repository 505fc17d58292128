//! The smallest difference that a number of documents can show.

use statrs::distribution::{ContinuousCDF, Normal};

/// The level of the tests: the probability of a false alarm.
const LEVEL: f64 = 0.05;

/// The probability with which a difference of the returned size is found.
const POWER: f64 = 0.8;

/// The smallest difference of two accuracies that McNemar's test finds with a probability of 80 % at the level 5 %, if a share `discordant` of
/// the documents is right on one side only (Connor 1987, solved for the difference).
///
/// `None` for fewer than 4 documents.
pub(crate) fn detectable_accuracy(discordant: f64, documents: usize) -> Option<f64> {
    let (level, power) = normal_quantiles();
    let n = documents as f64;
    let rest = n - level * level + power * power;
    let root = |x: f64| (x * discordant).sqrt();
    (rest > 0.0).then(|| (level * root(n) + power * root(rest)) / (n + power * power))
}

/// The smallest difference that a test with this standard error finds with a probability of 80 % at the level 5 %.
pub(crate) fn detectable(stderr: f64) -> f64 {
    let (level, power) = normal_quantiles();
    (level + power) * stderr
}

/// The quantiles of the normal distribution for level and power.
fn normal_quantiles() -> (f64, f64) {
    let normal = Normal::standard();
    (normal.inverse_cdf(1.0 - LEVEL / 2.0), normal.inverse_cdf(POWER))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The sample size by Connor's formula for the difference found is the number of documents.
    #[test]
    fn connors_formula_is_inverted() {
        let (level, power) = normal_quantiles();
        assert!((level - 1.959_964).abs() < 1e-5 && (power - 0.841_621).abs() < 1e-5);
        for (discordant, documents) in [(0.1_f64, 200), (0.3, 2000), (0.05, 50)] {
            let difference = detectable_accuracy(discordant, documents).unwrap();
            let root = level * discordant.sqrt() + power * (discordant - difference * difference).sqrt();
            assert!(((root / difference).powi(2) - documents as f64).abs() < 1e-6);
        }
        assert_eq!(detectable_accuracy(0.5, 3), None);
        assert!((detectable(1.0) - 2.801_585).abs() < 1e-5);
    }
}
