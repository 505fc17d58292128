//! Log-probabilities without storing rows of logits. The vocabulary is processed in tiles; each gives its largest
//! logit, its sum of exponentials and the logits of the targets.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::matrix::{Matrix, Output, Threads, multiply};
use super::slices::{compact, elements, matrix, primitive};
use super::{scratch, simd};
use crate::decoder::kernels::TargetToken;

/// Most logits of a state computed together.
const TILE: usize = 1024;
/// Up to so many products of contiguous vectors `gemm` has other code, which sums in another order.
const FEWEST_PRODUCTS: usize = 256;
/// States computed together.
const STATES: usize = 512;

/// Log-probabilities of the target tokens (in ascending order of their states), in their order. Shapes as in
/// [`kernels::log_probs`](crate::decoder::kernels::log_probs).
pub(crate) fn log_probs(
    states: &Tensor<2>,
    vocabulary: &Tensor<2>,
    targets: &[TargetToken],
) -> Option<Vec<f32>> {
    let states = compact(states.clone())?;
    let vocabulary = primitive(vocabulary.clone())?;
    Some(log_probs_of_slices(elements(&states), matrix(&vocabulary)?, targets))
}

/// [`log_probs`] of tensors of any backend that are in the memory of the processor; `states` are contiguous rows.
pub(crate) fn log_probs_of_slices(states: &[f32], vocabulary: Matrix, targets: &[TargetToken]) -> Vec<f32> {
    let width = vocabulary.cols;
    // Tiles of one size, so that the last one is not one of few products.
    let tile_size = vocabulary.rows.div_ceil(vocabulary.rows.div_ceil(TILE).max(1)).max(1);
    let fewest = (FEWEST_PRODUCTS / tile_size + 1).max(2);
    let mut log_probs = Vec::with_capacity(targets.len());
    for (chunk, states) in states.chunks(STATES * width).enumerate() {
        let first = chunk * STATES;
        let count = states.len() / width;
        let from = targets.partition_point(|target| target.state < first);
        let to = targets.partition_point(|target| target.state < first + count);
        let targets = &targets[from..to];
        // The same holds for a few states.
        let mut with_zeros = Vec::new();
        if count < fewest {
            with_zeros.extend_from_slice(states);
            with_zeros.resize(fewest * width, 0.0);
        }
        let states = if with_zeros.is_empty() { states } else { &with_zeros };
        let states = Matrix::new(states, count.max(fewest), width, width);
        let tiles: Vec<_> = (0..vocabulary.rows.div_ceil(tile_size))
            .into_par_iter()
            .map(|tile| {
                let tokens = tile * tile_size..((tile + 1) * tile_size).min(vocabulary.rows);
                let start = tokens.start as u32;
                summarise(states, vocabulary.rows(tokens), targets, first, start)
            })
            .collect();
        log_probs.extend(join(&tiles, targets, first, count));
    }
    log_probs
}

/// The result for a tile of the vocabulary.
struct Tile {
    /// Largest logit and sum of `exp(logit - largest)` of each state.
    sums: Vec<(f32, f32)>,
    /// Index into the target tokens, and logit.
    found: Vec<(usize, f32)>,
}

fn summarise(
    states: Matrix,
    matrix: Matrix,
    targets: &[TargetToken],
    first_state: usize,
    first_token: u32,
) -> Tile {
    let tokens = matrix.rows;
    scratch::with(states.rows * tokens, |logits| {
        multiply(logits, tokens, Output::Set, states, matrix.transposed(), Threads::This);
        let mut sums = vec![(0.0, 0.0); states.rows];
        simd::fast(
            #[inline(always)]
            || {
                for (sums, row) in sums.iter_mut().zip(logits.chunks_exact(tokens)) {
                    *sums = simd::peak_and_sum(row);
                }
            },
        );
        let found = targets
            .iter()
            .enumerate()
            .filter_map(|(index, target)| {
                let column = target.token.checked_sub(first_token)? as usize;
                (column < tokens).then(|| (index, logits[(target.state - first_state) * tokens + column]))
            })
            .collect();
        Tile { sums, found }
    })
}

fn join(tiles: &[Tile], targets: &[TargetToken], first_state: usize, states: usize) -> Vec<f32> {
    let totals: Vec<f32> = (0..states)
        .map(|state| {
            let peak = tiles.iter().map(|tile| tile.sums[state].0).fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 =
                tiles.iter().map(|tile| tile.sums[state].1 * (tile.sums[state].0 - peak).exp()).sum();
            peak + sum.ln()
        })
        .collect();
    let mut log_probs = vec![f32::NAN; targets.len()];
    for &(index, logit) in tiles.iter().flat_map(|tile| &tile.found) {
        log_probs[index] = logit - totals[targets[index].state - first_state];
    }
    log_probs
}
