//! [`Mixture`]: a weighted stream of data sets with random access.

use super::cycle::{schedule, whole_shares};
use crate::random::{Permutation, mix};

/// An endless, weighted, seeded stream of rows from several data sets.
///
/// Item `k` is a function of the seed and `k` only, in constant time, so a resumed run continues where the
/// interrupted one stopped. Proportions are exact: after any number of items, every data set has been drawn within
/// one of its share (slots are scheduled like jobs, earliest deadline first; Baruah et al., "Proportionate
/// progress", 1996). Every epoch of a data set has each row once, in a new seeded order.
///
/// ```
/// let mixture = dph_data::Mixture::new(&[(3.0, 100), (1.0, 10)], 42)?;
/// let from_second = mixture.iter_from(0).take(400).filter(|item| item.dataset == 1).count();
/// assert_eq!(from_second, 100);
/// assert_eq!(mixture.item(123), mixture.iter_from(123).next().unwrap());
/// # Ok::<(), dph_data::MixtureError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Mixture {
    lens: Vec<usize>,
    seed: u64,
    /// Which data set each slot of the cycle belongs to, and how often it has been drawn before in the cycle.
    cycle: Vec<(usize, u64)>,
    /// How often each data set is drawn in one cycle.
    shares: Vec<u64>,
}

/// What to draw at one position of a [`Mixture`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MixtureItem {
    /// Index of the data set.
    pub dataset: usize,
    /// Index of the row in that data set.
    pub row: usize,
    /// Number of epochs of that data set that are complete.
    pub epoch: u64,
}

/// Why a mixture is invalid.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MixtureError {
    /// No data set has a weight above 0.
    #[error("a mixture needs at least one data set with a weight greater than 0")]
    Nothing,
    /// A weight is negative or not a number.
    #[error("the weight of data set {dataset} is {weight}: it must be a number, 0 or more")]
    Weight {
        /// Index of the data set.
        dataset: usize,
        /// The weight as given.
        weight: f64,
    },
    /// A data set with a weight above 0 has no rows.
    #[error(
        "data set {dataset} has a weight of {weight} but no usable row; remove it from the mixture or set its weight to 0"
    )]
    NoRows {
        /// Index of the data set.
        dataset: usize,
        /// The weight as given.
        weight: f64,
    },
}

impl Mixture {
    /// A mixture of data sets given as (weight, number of rows). Only the ratios of the weights count.
    ///
    /// # Errors
    /// A weight that is negative or not finite, a weight on an empty data set, or no weight at all.
    pub fn new(parts: &[(f64, usize)], seed: u64) -> Result<Self, MixtureError> {
        for (dataset, &(weight, len)) in parts.iter().enumerate() {
            if !weight.is_finite() || weight < 0.0 {
                return Err(MixtureError::Weight { dataset, weight });
            }
            if weight > 0.0 && len == 0 {
                return Err(MixtureError::NoRows { dataset, weight });
            }
        }
        let total: f64 = parts.iter().map(|part| part.0).sum();
        if total <= 0.0 {
            return Err(MixtureError::Nothing);
        }
        let weights: Vec<f64> = parts.iter().map(|part| part.0 / total).collect();
        let shares = whole_shares(&weights);
        let cycle = schedule(&shares);
        Ok(Self { lens: parts.iter().map(|part| part.1).collect(), seed, cycle, shares })
    }

    /// The item at position `k` of the stream.
    pub fn item(&self, k: u64) -> MixtureItem {
        let cycles = k / self.cycle.len() as u64;
        let (dataset, drawn) = self.cycle[(k % self.cycle.len() as u64) as usize];
        let drawn = cycles * self.shares[dataset] + drawn;
        let len = self.lens[dataset];
        let epoch = drawn / len as u64;
        let order = Permutation::new(len, mix(self.seed, &[dataset as u64, epoch]));
        MixtureItem { dataset, row: order.at((drawn % len as u64) as usize), epoch }
    }

    /// The stream from position `k` on.
    pub fn iter_from(&self, k: u64) -> impl Iterator<Item = MixtureItem> + '_ {
        (k..).map(|position| self.item(position))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn parts() -> impl Strategy<Value = Vec<(f64, usize)>> {
        prop::collection::vec((1_u32..9, 1_usize..40), 1..7)
            .prop_map(|parts| parts.into_iter().map(|(weight, len)| (f64::from(weight), len)).collect())
    }

    proptest! {
        #[test]
        fn every_prefix_keeps_the_proportions(parts in parts(), seed: u64, length in 1_u64..300) {
            let mixture = Mixture::new(&parts, seed).unwrap();
            let total: f64 = parts.iter().map(|part| part.0).sum();
            let mut drawn = vec![0_u64; parts.len()];
            for item in mixture.iter_from(0).take(length as usize) {
                drawn[item.dataset] += 1;
            }
            for (count, part) in drawn.iter().zip(&parts) {
                let share = part.0 / total * length as f64;
                prop_assert!((*count as f64 - share).abs() < 1.0, "{count} of {share}");
            }
        }

        #[test]
        fn access_by_position_equals_the_sequence(parts in parts(), seed: u64, start in 0_u64..5000) {
            let mixture = Mixture::new(&parts, seed).unwrap();
            let again = Mixture::new(&parts, seed).unwrap();
            let sequence: Vec<_> = mixture.iter_from(0).skip(start as usize).take(20).collect();
            let asked: Vec<_> = (start..start + 20).map(|k| again.item(k)).collect();
            prop_assert_eq!(sequence, asked);
        }

        #[test]
        fn every_epoch_has_every_row_once(parts in parts(), seed: u64) {
            let mixture = Mixture::new(&parts, seed).unwrap();
            let mut seen = BTreeSet::new();
            for item in mixture.iter_from(0).take(400) {
                prop_assert!(item.row < parts[item.dataset].1);
                prop_assert!(seen.insert((item.dataset, item.epoch, item.row)), "{item:?} drawn twice");
                let missing = (0..item.epoch)
                    .any(|epoch| (0..parts[item.dataset].1).any(|row| !seen.contains(&(item.dataset, epoch, row))));
                prop_assert!(!missing, "{item:?} before the epoch before was over");
            }
        }
    }

    #[test]
    fn epochs_and_seeds_differ() {
        let order = |seed, epoch: u64| -> Vec<usize> {
            let mixture = Mixture::new(&[(1.0, 50)], seed).unwrap();
            mixture.iter_from(epoch * 50).take(50).map(|item| item.row).collect()
        };
        assert_ne!(order(1, 0), order(1, 1));
        assert_ne!(order(1, 0), order(2, 0));
    }

    #[test]
    fn odd_weights_are_close_and_tiny_ones_are_drawn() {
        let weights = [std::f64::consts::PI, std::f64::consts::E, 1e-9];
        let mixture = Mixture::new(&weights.map(|weight| (weight, 1000)), 0).unwrap();
        let mut drawn = [0_u32; 3];
        for item in mixture.iter_from(0).take(20_000) {
            drawn[item.dataset] += 1;
        }
        let share = f64::from(drawn[0]) / 20_000.0;
        assert!((share - weights[0] / (weights[0] + weights[1])).abs() < 5e-4, "{share}");
        assert!(drawn[2] > 0);
    }

    #[test]
    fn bad_mixtures_say_why() {
        let error = |parts: &[(f64, usize)]| Mixture::new(parts, 0).unwrap_err();
        assert_eq!(error(&[]), MixtureError::Nothing);
        assert_eq!(error(&[(0.0, 5)]), MixtureError::Nothing);
        assert_eq!(error(&[(1.0, 5), (-1.0, 5)]), MixtureError::Weight { dataset: 1, weight: -1.0 });
        assert!(matches!(error(&[(f64::NAN, 5)]), MixtureError::Weight { .. }));
        assert_eq!(error(&[(1.0, 5), (2.0, 0)]), MixtureError::NoRows { dataset: 1, weight: 2.0 });
        assert!(Mixture::new(&[(1.0, 5), (0.0, 0)], 0).is_ok());
    }
}
