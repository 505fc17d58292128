//! [`Pairs`]: the pairs of candidates that a loss compares.

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};

use crate::select::select_rows;

/// Pairs of a preferred candidate and another one, as indices into the candidates of a batch.
///
/// [`Pairs::all`] compares the gold candidate of a set with every other one, and gives each *set* the same weight,
/// independent of its number of candidates: a loss or metric is the mean over a set's pairs, then the mean of the
/// sets. Pairs that are collected from `(chosen, rejected)` all have the same weight:
///
/// ```
/// use dph_core::Pairs;
///
/// // A set of three with its first candidate gold, then a set of two with its second.
/// let all = Pairs::all([(0..3, 0), (3..5, 1)]);
/// assert_eq!(all.iter().collect::<Vec<_>>(), [(0, 1), (0, 2), (4, 3)]);
/// let one: Pairs = [(0, 2), (4, 3)].into_iter().collect();
/// assert_eq!(one.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pairs {
    chosen: Vec<usize>,
    rejected: Vec<usize>,
    /// Weight of each pair; they sum to 1. `None` if all weights are equal.
    weights: Option<Vec<f64>>,
}

impl Pairs {
    /// Every pair of a gold candidate and another one of its set.
    ///
    /// A set is the range of its candidates in the batch, as in [`Batch::sets`](crate::Batch::sets), and the index of
    /// the gold one *within the set*, as in [`CandidateSet::gold`](crate::CandidateSet::gold). Sets with one
    /// candidate have no pairs and are ignored.
    ///
    /// # Panics
    ///
    /// If a gold index is not within its set.
    pub fn all(sets: impl IntoIterator<Item = (Range<usize>, usize)>) -> Self {
        let mut pairs = Pairs::default();
        let mut sizes = Vec::new();
        for (candidates, gold) in sets {
            assert!(gold < candidates.len(), "gold candidate {gold} of a set of {}", candidates.len());
            let gold = candidates.start + gold;
            let before = pairs.len();
            pairs.extend(candidates.filter(|&other| other != gold).map(|other| (gold, other)));
            sizes.push(pairs.len() - before);
        }
        sizes.retain(|&size| size > 0);
        if sizes.iter().any(|&size| size != sizes[0]) {
            let sets = sizes.len() as f64;
            let weights = sizes.iter().flat_map(|&size| vec![1.0 / (sets * size as f64); size]);
            pairs.weights = Some(weights.collect());
        }
        pairs
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.chosen.len()
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.chosen.is_empty()
    }

    /// The pairs as `(chosen, rejected)`.
    pub fn iter(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.chosen.iter().copied().zip(self.rejected.iter().copied())
    }

    /// The values of the chosen and of the rejected candidates.
    ///
    /// # Shapes
    ///
    /// - values: `[candidates]`
    /// - output: `[pairs]` and `[pairs]`
    pub fn split(&self, values: &Tensor<1>) -> (Tensor<1>, Tensor<1>) {
        let select = |indices: &[usize]| select_rows(values.clone(), indices.iter().copied());
        (select(&self.chosen), select(&self.rejected))
    }

    /// The average over the pairs, on the device and in the type of `like`.
    pub(super) fn average(&self, like: &Tensor<1>) -> Average {
        Average(self.weights.as_ref().map(|weights| {
            let data = TensorData::new(weights.clone(), [weights.len()]);
            Tensor::from_data(data, (&like.device(), like.dtype()))
        }))
    }

    fn extend(&mut self, pairs: impl Iterator<Item = (usize, usize)>) {
        for (chosen, rejected) in pairs {
            self.chosen.push(chosen);
            self.rejected.push(rejected);
        }
    }
}

impl FromIterator<(usize, usize)> for Pairs {
    fn from_iter<I: IntoIterator<Item = (usize, usize)>>(pairs: I) -> Self {
        let mut collected = Pairs::default();
        collected.extend(pairs.into_iter());
        collected
    }
}

/// A mean over pairs: with weights that sum to 1, or with equal ones.
pub(super) struct Average(Option<Tensor<1>>);

impl Average {
    /// Equal weights.
    pub fn equal() -> Self {
        Self(None)
    }

    /// The mean, `[1]`; 0 without pairs, so that a batch without pairs has no gradient.
    pub fn mean(&self, values: Tensor<1>) -> Tensor<1> {
        match &self.0 {
            Some(weights) => (values * weights.clone()).sum(),
            None if values.dims()[0] == 0 => values.sum(),
            None => values.mean(),
        }
    }

    /// The fraction of pairs with `left` greater than `right`, `[1]`.
    pub fn share_above(&self, left: Tensor<1>, right: Tensor<1>) -> Tensor<1> {
        let dtype = left.dtype();
        self.mean(left.detach().greater(right.detach()).float().cast(dtype))
    }
}
