//! [`Estimate`]: a value with its standard error; accuracy, means, and the accuracy of random choices.

use dph_core::CandidateSet;
use serde::{Deserialize, Serialize};

/// A value (a fraction) with its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Its standard error; `None` for a single document.
    pub stderr: Option<f64>,
}

/// The fraction of documents that were answered correctly, with its standard error `sqrt(p (1 - p) / (n - 1))`.
///
/// `None` without documents. One document has no standard error.
///
/// ```
/// let accuracy = dph_eval::accuracy(3, 4).unwrap();
/// assert_eq!((accuracy.value, accuracy.stderr), (0.75, Some(0.25)));
/// ```
pub fn accuracy(correct: usize, documents: usize) -> Option<Estimate> {
    let n = documents as f64;
    let value = (documents > 0).then(|| correct as f64 / n)?;
    let stderr = (documents > 1).then(|| (value * (1.0 - value) / (n - 1.0)).sqrt());
    Some(Estimate { value, stderr })
}

/// The mean of values with its standard error `s / sqrt(n)`, where `s` is their standard deviation with n − 1.
///
/// `None` without values. One value has no standard error.
///
/// ```
/// let mean = dph_eval::mean(&[1.0, 3.0]).unwrap();
/// assert_eq!((mean.value, mean.stderr), (2.0, Some(1.0)));
/// ```
pub fn mean(values: &[f64]) -> Option<Estimate> {
    let n = values.len() as f64;
    let value = (!values.is_empty()).then(|| values.iter().sum::<f64>() / n)?;
    Some(Estimate { value, stderr: deviation(values).map(|deviation| deviation / n.sqrt()) })
}

/// The standard deviation `sqrt(Σ (x - x̄)² / (n - 1))`; `None` for fewer than two values.
pub(crate) fn deviation(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt())
}

/// The 95 % interval of a share among `documents` (Wilson's score interval, 1927), which lies between 0 and 1 for few
/// documents too.
///
/// ```
/// let (low, high) = dph_eval::wilson_interval(0.8, 10).unwrap();
/// assert_eq!((format!("{low:.3}"), format!("{high:.3}")), ("0.490".into(), "0.943".into()));
/// assert_eq!(dph_eval::wilson_interval(0.0, 0), None);
/// ```
pub fn wilson_interval(share: f64, documents: usize) -> Option<(f64, f64)> {
    const Z: f64 = 1.959_963_984_540_054;
    let n = documents as f64;
    let centre = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (documents > 0).then(|| ((centre - half) / scale, (centre + half) / scale))
}

/// The mean of estimates that are independent of one another, by weight: `Σ w x / Σ w`, with the standard error
/// `sqrt(Σ w² s²) / Σ w`.
///
/// `None` if no weight is positive. Without the standard error of one part there is none of the mean.
pub fn weighted_mean(parts: impl IntoIterator<Item = (f64, Estimate)>) -> Option<Estimate> {
    let (mut weights, mut sum, mut variance) = (0.0, 0.0, Some(0.0));
    for (weight, part) in parts {
        weights += weight;
        sum += weight * part.value;
        variance = variance.zip(part.stderr).map(|(variance, stderr)| variance + (weight * stderr).powi(2));
    }
    (weights > 0.0).then(|| Estimate {
        value: sum / weights,
        stderr: variance.map(|variance: f64| variance.sqrt() / weights),
    })
}

/// The mean of several metrics of one task, which count as one (the convention of GLUE).
///
/// The metrics are computed on the same documents. Their standard errors are averaged, as if fully correlated. `None` without
/// metrics.
///
/// ```
/// use dph_eval::Estimate;
/// let part = |value| Estimate { value, stderr: Some(0.1) };
/// assert_eq!(dph_eval::mean_of_metrics(&[part(0.5), part(1.0)]), Some(part(0.75)));
/// ```
pub fn mean_of_metrics(metrics: &[Estimate]) -> Option<Estimate> {
    let n = metrics.len() as f64;
    let stderr: Option<f64> = metrics.iter().map(|metric| metric.stderr).sum();
    (!metrics.is_empty()).then(|| Estimate {
        value: metrics.iter().map(|metric| metric.value).sum::<f64>() / n,
        stderr: stderr.map(|sum| sum / n),
    })
}

/// The accuracy of random choices: the mean of `1 / K` over candidate sets with K candidates each.
///
/// `None` without sets.
pub fn chance(sets: &[CandidateSet]) -> Option<f64> {
    let sum: f64 = sets.iter().map(|set| 1.0 / set.candidates.len().max(1) as f64).sum();
    (!sets.is_empty()).then(|| sum / sets.len() as f64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use dph_core::Candidate;
    use proptest::prelude::*;

    #[test]
    fn accuracy_by_hand() {
        assert_eq!(accuracy(0, 0), None);
        assert_eq!(accuracy(1, 1), Some(Estimate { value: 1.0, stderr: None }));
        assert_eq!(accuracy(200, 200), Some(Estimate { value: 1.0, stderr: Some(0.0) }));
        let half = accuracy(50, 100).unwrap();
        assert!((half.stderr.unwrap() - (0.25_f64 / 99.0).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn a_weighted_mean_by_hand() {
        let part = |value, stderr| Estimate { value, stderr };
        let mean = weighted_mean([(1.0, part(0.5, Some(0.03))), (3.0, part(0.9, Some(0.01)))]).unwrap();
        assert!((mean.value - 0.8).abs() < 1e-15);
        assert!((mean.stderr.unwrap() - (0.03_f64.powi(2) + 0.03_f64.powi(2)).sqrt() / 4.0).abs() < 1e-15);
        assert_eq!(
            weighted_mean([(1.0, part(0.5, None)), (1.0, part(0.5, Some(0.1)))]).unwrap().stderr,
            None
        );
        assert_eq!(weighted_mean([]), None);
    }

    #[test]
    fn chance_is_the_mean_over_documents() {
        let set = |candidates| CandidateSet {
            candidates: vec![Candidate::default(); candidates],
            ..CandidateSet::default()
        };
        assert_eq!(chance(&[set(2), set(4), set(4)]), Some(1.0 / 3.0));
        assert_eq!(chance(&[]), None);
    }

    proptest! {
        /// The formula is the unbiased standard error of the mean of zeros and ones.
        #[test]
        fn accuracy_is_the_mean_of_its_documents(outcomes in prop::collection::vec(any::<bool>(), 2..200)) {
            let values: Vec<f64> = outcomes.iter().map(|&right| f64::from(u8::from(right))).collect();
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
            let estimate = accuracy(outcomes.iter().filter(|&&right| right).count(), outcomes.len()).unwrap();
            prop_assert!((estimate.value - mean).abs() < 1e-12);
            prop_assert!((estimate.stderr.unwrap() - (variance / n).sqrt()).abs() < 1e-12);
        }

        #[test]
        fn equal_weights_are_a_plain_mean(values in prop::collection::vec(0.0..1.0_f64, 1..10), weight in 0.1..9.0_f64) {
            let parts = values.iter().map(|&value| (weight, Estimate { value, stderr: Some(0.1) }));
            let mean = weighted_mean(parts).unwrap();
            let n = values.len() as f64;
            prop_assert!((mean.value - values.iter().sum::<f64>() / n).abs() < 1e-12);
            prop_assert!((mean.stderr.unwrap() - 0.1 / n.sqrt()).abs() < 1e-12);
        }
    }
}
