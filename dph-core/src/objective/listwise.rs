//! The listwise form of the DPH objective: a softmax over the rewards of a whole set.

use burn::tensor::{Bool, Tensor, TensorData, activation};

use super::pairs::Pairs;
use crate::select::select_rows;

/// The reward of a place that a smaller set leaves empty. It is finite, since 0 · -∞ is not a number.
const EMPTY: f32 = -1e30;

/// The mean over the sets of the cross-entropy of the softmax over a set's rewards, `[1]`; 0 without sets. The chosen candidate has the
/// probability 1 - ε, and each of the K - 1 others ε / (K - 1).
///
/// # Shapes
///
/// - rewards: `[candidates]`
pub(super) fn listwise_loss(rewards: Tensor<1>, pairs: &Pairs, label_smoothing: f64) -> Tensor<1> {
    let sets: Vec<Vec<usize>> = pairs.sets().collect();
    let Some(longest) = sets.iter().map(Vec::len).max() else { return pairs.split(&rewards).0.sum() };
    let shape = [sets.len(), longest];
    let (mut indices, mut empty, mut targets) = (Vec::new(), Vec::new(), Vec::new());
    for set in &sets {
        let others = set.len() - 1;
        for place in 0..longest {
            indices.push(set.get(place).copied().unwrap_or(set[0]));
            empty.push(place >= set.len());
            let target = match place {
                0 => 1.0 - label_smoothing,
                _ if place < set.len() => label_smoothing / others as f64,
                _ => 0.0,
            };
            targets.push(target / sets.len() as f64);
        }
    }
    let (device, dtype) = (rewards.device(), rewards.dtype());
    let empty = Tensor::<2, Bool>::from_data(TensorData::new(empty, shape), &device);
    let targets = Tensor::<2>::from_data(TensorData::new(targets, shape), (&device, dtype));
    let rewards = select_rows(rewards, indices).reshape(shape).mask_fill(empty, EMPTY);
    -(activation::log_softmax(rewards, 1) * targets).sum()
}
