//! Causal attention of long sequences on slices, for tensors of any backend that are in the memory of the processor.

use rayon::prelude::*;

use super::matrix::{Matrix, Output, Threads, multiply};
use super::{scratch, simd};

/// Queries per block: their scores for some thousand keys fit into the CPU cache.
const QUERIES: usize = 128;

/// The heads of some sequences in a slice, `[sequences, heads, tokens, head_dim]`. Components are neighbours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadSlices<'a> {
    /// Starts at the first element.
    pub data: &'a [f32],
    /// Number of sequences, heads, tokens and components.
    pub sizes: [usize; 4],
    /// Distance between neighbouring sequences, heads and tokens.
    pub strides: [usize; 3],
}

impl<'a> HeadSlices<'a> {
    /// The tokens of one head.
    fn head(&self, sequence: usize, head: usize) -> Matrix<'a> {
        let [_, _, tokens, components] = self.sizes;
        let start = sequence * self.strides[0] + head * self.strides[1];
        Matrix::new(&self.data[start..], tokens, components, self.strides[2])
    }
}

/// The weighted values `[sequences, heads, tokens, head_dim]` and the log-sum-exp of the scores `[sequences, heads, tokens]`, where each
/// token attends to itself and to earlier ones. Scores are scaled by `1 / √head_dim`. `key` and `value` may have fewer heads.
pub(crate) fn causal_attention(
    query: HeadSlices,
    key: HeadSlices,
    value: HeadSlices,
) -> (Vec<f32>, Vec<f32>) {
    let [sequences, n_heads, tokens, d] = query.sizes;
    let group = n_heads / key.sizes[1];
    let mut output = vec![0.0; sequences * n_heads * tokens * d];
    let mut log_sums = vec![0.0; sequences * n_heads * tokens];
    let heads = output.chunks_mut(tokens * d).zip(log_sums.chunks_mut(tokens)).enumerate();
    let blocks: Vec<_> = heads
        .flat_map(|(head, (output, log_sums))| {
            let blocks = output.chunks_mut(QUERIES * d).zip(log_sums.chunks_mut(QUERIES)).enumerate();
            blocks.map(move |(block, outputs)| (head / n_heads, head % n_heads, block * QUERIES, outputs))
        })
        .collect();
    // The last blocks have the most keys, so they come first.
    blocks.into_par_iter().rev().for_each(|(sequence, head, first, (output, log_sums))| {
        let end = first + log_sums.len();
        let queries = query.head(sequence, head).rows(first..end);
        let [keys, values] = [key, value].map(|heads| heads.head(sequence, head / group).rows(0..end));
        attend_block(queries, keys, values, output, log_sums);
    });
    (output, log_sums)
}

/// The last query attends to all keys, each one before it to one key less.
fn attend_block(queries: Matrix, keys: Matrix, values: Matrix, output: &mut [f32], log_sums: &mut [f32]) {
    let (count, seen, d) = (queries.rows, keys.rows, queries.cols);
    let scale = 1.0 / (d as f32).sqrt();
    scratch::with(count * (d + seen), |memory| {
        let (scaled, scores) = memory.split_at_mut(count * d);
        for (row, query) in scaled.chunks_exact_mut(d).zip(queries.data.chunks(queries.row_stride)) {
            row.iter_mut().zip(query).for_each(|(x, component)| *x = component * scale);
        }
        let scaled = Matrix::new(scaled, count, d, d);
        multiply(scores, seen, Output::Set, scaled, keys.transposed(), Threads::This);
        let mut sums = [0.0; QUERIES];
        simd::exp_visible(
            scores,
            seen,
            |query| count - 1 - query,
            |query, peak, sum| {
                (sums[query], log_sums[query]) = (sum, peak + sum.ln());
            },
        );
        multiply(output, d, Output::Set, Matrix::new(scores, count, seen, seen), values, Threads::This);
        for (row, sum) in output.chunks_exact_mut(d).zip(sums) {
            row.iter_mut().for_each(|x| *x /= sum);
        }
    });
}
