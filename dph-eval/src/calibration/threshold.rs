//! [`Threshold`]: which candidates are good enough.

use serde::{Deserialize, Serialize};

/// The value that separates right candidates from wrong ones best.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// A candidate with at least this value is good enough.
    pub value: f64,
    /// The mean of the share of right candidates that reach it and the share of wrong ones that do not.
    pub balanced_accuracy: f64,
    /// The number of right candidates.
    pub right: usize,
    /// The number of wrong candidates.
    pub wrong: usize,
}

impl Threshold {
    /// The threshold with the highest balanced accuracy, in the middle between two values; of equals the lowest. `None` if all
    /// candidates are right, or all wrong, or have the same value. Values are finite.
    pub(crate) fn new(mut candidates: Vec<(f64, bool)>) -> Option<Self> {
        candidates.sort_by(|a, b| a.0.total_cmp(&b.0));
        let right = candidates.iter().filter(|(_, right)| *right).count();
        let wrong = candidates.len() - right;
        let (mut right_below, mut wrong_below) = (0, 0);
        let mut best: Option<Self> = None;
        for pair in candidates.windows(2) {
            let [(below, is_right), (above, _)] = *pair else { continue };
            right_below += usize::from(is_right);
            wrong_below += usize::from(!is_right);
            if below == above || right == 0 || wrong == 0 {
                continue;
            }
            let reached = (right - right_below) as f64 / right as f64;
            let balanced_accuracy = (reached + wrong_below as f64 / wrong as f64) / 2.0;
            if best.as_ref().is_none_or(|best| balanced_accuracy > best.balanced_accuracy) {
                best = Some(Self { value: below + (above - below) / 2.0, balanced_accuracy, right, wrong });
            }
        }
        best
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn by_hand() {
        let found =
            Threshold::new(vec![(3.0, true), (-1.0, false), (0.0, true), (1.0, false), (2.0, true)]).unwrap();
        // At 1.5 two of three right ones reach it and no wrong one does; at −0.5 all right ones and one of two wrong ones.
        assert_eq!(found.value, 1.5);
        assert!((found.balanced_accuracy - (2.0 / 3.0 + 1.0) / 2.0).abs() < 1e-12);
        assert_eq!((found.right, found.wrong), (3, 2));
        assert_eq!(Threshold::new(vec![(1.0, true), (2.0, true)]), None);
        assert_eq!(Threshold::new(vec![(1.0, true), (1.0, false)]), None);
    }

    proptest! {
        /// No other threshold is better, and the accuracy is what it says.
        #[test]
        fn no_threshold_is_better(candidates in prop::collection::vec((0..9_u8, any::<bool>()), 2..40)) {
            let candidates: Vec<(f64, bool)> =
                candidates.into_iter().map(|(value, right)| (f64::from(value), right)).collect();
            let Some(found) = Threshold::new(candidates.clone()) else { return Ok(()) };
            let balanced = |threshold: f64| {
                let reached = |wanted: bool| {
                    candidates.iter().filter(|(value, right)| *right == wanted && (*value >= threshold) == wanted).count()
                };
                (reached(true) as f64 / found.right as f64 + reached(false) as f64 / found.wrong as f64) / 2.0
            };
            prop_assert!((balanced(found.value) - found.balanced_accuracy).abs() < 1e-12);
            let low = candidates.iter().map(|(value, _)| *value).fold(f64::INFINITY, f64::min) as usize;
            let high = candidates.iter().map(|(value, _)| *value).fold(0.0, f64::max) as usize;
            prop_assert!((low..high).all(|below| balanced(below as f64 + 0.5) <= found.balanced_accuracy + 1e-12));
        }
    }
}
