//! [`Reliability`]: how well the probability of a choice agrees with how often it is right.

use serde::{Deserialize, Serialize};

/// Bins of a reliability curve, if there are enough documents.
const BINS: usize = 10;

/// The documents of a bin, at least.
const FEWEST: usize = 10;

/// How well the confidence of choices agrees with their accuracy.
///
/// The probability of a candidate is the softmax over the values of the candidates of its document; for a pair this is the sigmoid
/// of their difference. The confidence is the probability of the chosen candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// The share of documents whose choice is right.
    pub accuracy: f64,
    /// The mean square of the difference between the confidence and the outcome, 1 for a right choice and 0 for a wrong one (Brier 1950).
    pub brier: f64,
    /// The expected calibration error: the mean distance between accuracy and confidence over the bins, by their documents (Naeini et
    /// al. 2015), with bins that have equally many documents.
    pub ece: f64,
    /// The reliability curve, in ascending order of the confidence.
    pub curve: Vec<Bin>,
}

/// A bin of a reliability curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// The mean confidence.
    pub confidence: f64,
    /// The share of right choices.
    pub accuracy: f64,
    /// The number of documents.
    pub documents: usize,
}

impl Reliability {
    /// The reliability of choices: the confidence of each, and whether it is right. `None` without choices.
    pub(crate) fn new(mut choices: Vec<(f64, bool)>) -> Option<Self> {
        choices.sort_by(|a, b| a.0.total_cmp(&b.0));
        let all = choices.len();
        let bins = (all / FEWEST).clamp(1, BINS);
        let curve: Vec<Bin> = (0..bins)
            .filter_map(|bin| Bin::new(&choices[bin * all / bins..(bin + 1) * all / bins]))
            .collect();
        let whole = Bin::new(&choices)?;
        let square = |&(confidence, right): &(f64, bool)| (confidence - f64::from(u8::from(right))).powi(2);
        let distance = |bin: &Bin| bin.documents as f64 * (bin.accuracy - bin.confidence).abs();
        Some(Self {
            accuracy: whole.accuracy,
            brier: choices.iter().map(square).sum::<f64>() / all as f64,
            ece: curve.iter().map(distance).sum::<f64>() / all as f64,
            curve,
        })
    }
}

impl Bin {
    fn new(choices: &[(f64, bool)]) -> Option<Self> {
        let documents = choices.len();
        let share = |sum: f64| sum / documents as f64;
        (documents > 0).then(|| Self {
            confidence: share(choices.iter().map(|(confidence, _)| confidence).sum()),
            accuracy: share(choices.iter().filter(|(_, right)| *right).count() as f64),
            documents,
        })
    }
}

/// The softmax of some values. `None` if one is not finite.
pub(crate) fn probabilities(values: &[f64]) -> Option<Vec<f64>> {
    if values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = values.iter().map(|value| (value - highest).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    Some(exponentials.into_iter().map(|value| value / sum).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_has_the_sigmoid_of_its_difference() {
        let found = probabilities(&[2.0, 0.5]).unwrap();
        assert!((found[0] - 1.0 / (1.0 + (-1.5_f64).exp())).abs() < 1e-15);
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-15);
        assert_eq!(probabilities(&[1000.0, 1000.0]), Some(vec![0.5, 0.5]));
        assert_eq!(probabilities(&[f64::NAN, 1.0]), None);
    }

    #[test]
    fn by_hand() {
        // Two bins: ten choices with 0.6, half of them right, and ten with 0.9, nine of them right.
        let choices: Vec<(f64, bool)> =
            (0..20).map(|index| if index < 10 { (0.6, index < 5) } else { (0.9, index < 19) }).collect();
        let found = Reliability::new(choices).unwrap();
        assert!((found.accuracy - 0.7).abs() < 1e-12);
        assert!((found.ece - 0.05).abs() < 1e-12, "{found:?}");
        let brier = (5.0 * 0.16 + 5.0 * 0.36 + 9.0 * 0.01 + 0.81) / 20.0;
        assert!((found.brier - brier).abs() < 1e-12);
        let curve: Vec<(f64, usize)> = found.curve.iter().map(|bin| (bin.accuracy, bin.documents)).collect();
        assert_eq!(curve, [(0.5, 10), (0.9, 10)]);
        assert_eq!(Reliability::new(Vec::new()), None);
        assert_eq!(Reliability::new(vec![(0.5, true)]).unwrap().curve.len(), 1);
    }
}
