//! [`Pairs`]: the pairs of candidates that a loss compares, and the sets that they belong to.

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
    /// Number of pairs of each set. The pairs of a set are consecutive and have the same chosen candidate.
    sizes: Vec<usize>,
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
        for (candidates, gold) in sets {
            assert!(gold < candidates.len(), "gold candidate {gold} of a set of {}", candidates.len());
            let gold = candidates.start + gold;
            let before = pairs.len();
            for other in candidates.filter(|&other| other != gold) {
                pairs.push(gold, other);
            }
            if pairs.len() > before {
                pairs.sizes.push(pairs.len() - before);
            }
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
        let first = self.sizes.first();
        if self.sizes.iter().all(|size| Some(size) == first) {
            return Average(None);
        }
        let sets = self.sizes.len() as f64;
        let weights: Vec<f64> =
            self.sizes.iter().flat_map(|&size| vec![1.0 / (sets * size as f64); size]).collect();
        let data = TensorData::new(weights, [self.len()]);
        Average(Some(Tensor::from_data(data, (&like.device(), like.dtype()))))
    }

    /// The candidates of each set, the chosen one first. Each of the pairs that were collected one by one is a set.
    pub(super) fn sets(&self) -> impl Iterator<Item = Vec<usize>> + '_ {
        let mut first = 0;
        self.sizes.iter().map(move |&size| {
            let of_set = first..first + size;
            first += size;
            std::iter::once(self.chosen[of_set.start]).chain(self.rejected[of_set].iter().copied()).collect()
        })
    }

    fn push(&mut self, chosen: usize, rejected: usize) {
        self.chosen.push(chosen);
        self.rejected.push(rejected);
    }
}

impl FromIterator<(usize, usize)> for Pairs {
    fn from_iter<I: IntoIterator<Item = (usize, usize)>>(pairs: I) -> Self {
        let mut collected = Pairs::default();
        for (chosen, rejected) in pairs {
            collected.push(chosen, rejected);
            collected.sizes.push(1);
        }
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
