//! Attention over spans. Only unmasked scores are computed, and keys and values of heads are not copied, except for a shared prompt's end.
//!
//! The result of a query does not depend, to the bit, on what else a row or a batch holds, and not on how many tokens of its prompt are stored
//! once for several prompts: every sum has the order that it has in a row with this prompt alone.

use rayon::prelude::*;

use super::cache::{Cached, CachedPrefix};
use super::continued::Continued;
use super::heads::Heads;
use super::matrix::{Matrix, Output, Threads, multiply};
use super::weights::{QueryKeySlices, RegisterSlices};
use super::{scratch, simd};
use crate::decoder::{HostLayout, Rotation, Span};

/// Queries per block: their scores for some thousand keys fit into the CPU cache.
const QUERIES: usize = 64;
/// Values that are summed before they are added to those before them, counted from the first token of a prompt.
pub(super) const SUMMED: usize = 128;

/// Norm and rotation of all queries and keys, in place, and the scale `1 / √head_dim` of the queries.
pub(super) fn rotate_heads(
    qkv: &mut [f32],
    heads: &Heads,
    norm: Option<QueryKeySlices>,
    rotation: &Rotation,
) {
    let (d, half) = (heads.head_dim, rotation.half);
    let scale = 1.0 / (d as f32).sqrt();
    let rotated = (heads.n_heads + heads.n_kv_heads) * d;
    let chunk = QUERIES * heads.width();
    qkv.par_chunks_mut(chunk).zip(rotation.entries.par_chunks(QUERIES)).for_each(|(qkv, entries)| {
        simd::fast(
            #[inline(always)]
            || {
                for (token, &entry) in qkv.chunks_exact_mut(heads.width()).zip(entries) {
                    let cos = &rotation.cos[entry as usize * half..][..half];
                    let sin = &rotation.sin[entry as usize * half..][..half];
                    for (index, head) in token[..rotated].chunks_exact_mut(d).enumerate() {
                        let key = index.checked_sub(heads.n_heads);
                        if let Some(norm) = norm {
                            simd::normalise_head(head, norm.for_head(index, key, d), norm.config);
                        }
                        simd::rotate(head, cos, sin, if key.is_none() { scale } else { 1.0 });
                    }
                }
            },
        );
    });
}

/// The weighted values of all tokens, `[tokens, n_heads · head_dim]`; 0 for padding.
pub(super) fn attend(
    qkv: &[f32],
    heads: &Heads,
    registers: Option<RegisterSlices>,
    cached: Option<&Cached>,
    layout: &HostLayout,
) -> Vec<f32> {
    let width = heads.context_width();
    let mut context = vec![0.0; layout.rows * layout.seq * width];
    let registers: Vec<_> = layout
        .rotation
        .temperatures
        .iter()
        .map(|&temperature| registers.map(|registers| ScaledRegisters::new(registers, temperature, heads)))
        .collect();

    let tokens_of = |row: usize| &qkv[row * layout.seq * heads.width()..][..layout.seq * heads.width()];
    let continued: Vec<Vec<Continued>> = (0..layout.rows)
        .into_par_iter()
        .map(|row| Continued::of_row(tokens_of(row), &layout.spans[row], heads))
        .collect();

    // Each block of queries gets its own part of the output.
    let mut blocks = Vec::new();
    let mut rest = &mut context[..];
    let mut taken = 0;
    for (row, spans) in layout.spans.iter().enumerate() {
        for &span in spans {
            for first in (span.start..span.end).step_by(QUERIES) {
                let end = (first + QUERIES).min(span.end);
                let start = (row * layout.seq + first) * width;
                let (out, behind) = rest.split_at_mut(start - taken).1.split_at_mut((end - first) * width);
                blocks.push((QueryBlock { row, span, first, end }, out));
                (rest, taken) = (behind, start + (end - first) * width);
            }
        }
    }
    blocks.into_par_iter().for_each(|(block, out)| {
        let row = Row {
            tokens: tokens_of(block.row),
            registers: registers[block.row].as_ref(),
            prefix: cached.map(|cached| cached.prefix(block.row, layout)).filter(|prefix| prefix.count() > 0),
            continued: &continued[block.row],
        };
        attend_block(&row, heads, layout.causal, block, out);
    });
    context
}

/// Queries of one span of a row.
struct QueryBlock {
    row: usize,
    span: Span,
    first: usize,
    end: usize,
}

/// Registers times the attention temperature of a row.
pub(super) struct ScaledRegisters {
    count: usize,
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl ScaledRegisters {
    pub fn new(registers: RegisterSlices, temperature: f32, heads: &Heads) -> Self {
        let scaled = |values: &[f32]| values.iter().map(|x| x * temperature).collect();
        Self {
            count: registers.keys.len() / (heads.n_kv_heads * heads.head_dim),
            keys: scaled(registers.keys),
            values: scaled(registers.values),
        }
    }

    /// Keys and values of a head, `[registers, head_dim]` each.
    pub fn parts(&self, head: usize, head_dim: usize) -> [Matrix<'_>; 2] {
        let first = head * self.count * head_dim;
        [&self.keys, &self.values].map(|values| Matrix::new(&values[first..], self.count, head_dim, head_dim))
    }
}

/// What the queries of a row attend to.
struct Row<'a> {
    /// Queries, keys and values of the new tokens, `[seq, qkv width]`.
    tokens: &'a [f32],
    registers: Option<&'a ScaledRegisters>,
    prefix: Option<CachedPrefix<'a>>,
    continued: &'a [Continued],
}

impl Row<'_> {
    /// Keys and values of a head that a span attends to, up to the column `seen_end` of its own, in runs.
    fn runs(&self, heads: &Heads, kv: usize, span: Span, seen_end: usize) -> Vec<[Matrix<'_>; 2]> {
        let (d, width) = (heads.head_dim, heads.width());
        let new = |start: usize, count: usize| {
            [heads.n_heads + kv, heads.n_heads + heads.n_kv_heads + kv]
                .map(|column| Matrix::new(&self.tokens[start * width + column * d..], count, d, width))
        };
        let mut runs = Vec::new();
        runs.extend(self.registers.map(|registers| registers.parts(kv, d)));
        runs.extend(self.prefix.as_ref().map(|prefix| prefix.parts(kv)));
        match self.continued.iter().find(|continued| continued.belongs_to(&span)) {
            None => runs.extend(span.outside().map(|(start, count)| new(start, count))),
            Some(continued) => {
                // The own tokens of the rest of a prompt are in its copy.
                let own = if span.continues { seen_end - span.start } else { continued.rest };
                runs.push(new(0, continued.first));
                runs.push(continued.parts(heads, kv, own));
            }
        }
        if !span.continues {
            runs.push(new(span.start, seen_end - span.start));
        }
        runs.retain(|[keys, _]| keys.rows > 0);
        runs
    }
}

/// The weighted values of a block of queries.
fn attend_block(row: &Row<'_>, heads: &Heads, causal: bool, block: QueryBlock, out: &mut [f32]) {
    let QueryBlock { span, first, end, .. } = block;
    let (d, width) = (heads.head_dim, heads.width());
    let queries = end - first;
    // The end of the columns that the queries attend to.
    let seen_end = if causal { end } else { span.end };
    let group = heads.n_heads / heads.n_kv_heads;
    for kv in 0..heads.n_kv_heads {
        let runs = row.runs(heads, kv, span, seen_end);
        let keys = runs.iter().map(|[keys, _]| keys.rows).sum();
        // At least two columns, see `by_component`.
        let stride = queries.max(2);
        scratch::with(d * stride + queries * (keys + d), |memory| {
            let (components, memory) = memory.split_at_mut(d * stride);
            let (scores, part) = memory.split_at_mut(queries * keys);
            for head in kv * group..(kv + 1) * group {
                let query = Matrix::new(&row.tokens[first * width + head * d..], queries, d, width);
                let query = by_component(components, stride, query);
                let mut at = 0;
                for [key, _] in &runs {
                    multiply(&mut scores[at..], keys, Output::Set, query, key.transposed(), Threads::This);
                    at += key.rows;
                }
                let mut scale = [0.0; QUERIES];
                let hidden = |query: usize| if causal { queries - 1 - query } else { 0 };
                simd::exp_visible(scores, keys, hidden, |query, _, sum| scale[query] = 1.0 / sum);
                let (out, out_stride) = (&mut out[head * d..], heads.context_width());
                weigh(out, out_stride, Matrix::new(scores, queries, keys, keys), &runs, part);
                for (row, scale) in out.chunks_mut(out_stride).zip(scale) {
                    row[..d].iter_mut().for_each(|x| *x *= scale);
                }
            }
        });
    }
}

/// Rows as columns that are `stride` apart, so that no row is contiguous: for a few products of contiguous vectors `gemm` has other code, which
/// sums in another order.
fn by_component<'a>(memory: &'a mut [f32], stride: usize, rows: Matrix) -> Matrix<'a> {
    for (index, row) in rows.data.chunks(rows.row_stride).take(rows.rows).enumerate() {
        for (component, &x) in row[..rows.cols].iter().enumerate() {
            memory[component * stride + index] = x;
        }
    }
    Matrix::new(memory, rows.cols, rows.rows, stride).transposed()
}

/// Writes the values of these runs, weighted by `[queries, keys]`, to `out`. `part` is memory for one sum, `[queries, head_dim]`.
fn weigh(out: &mut [f32], out_stride: usize, weights: Matrix, runs: &[[Matrix; 2]], part: &mut [f32]) {
    let summed = runs.iter().flat_map(|[_, values]| {
        let starts = (0..values.rows).step_by(SUMMED);
        starts.map(|start| values.rows(start..(start + SUMMED).min(values.rows)))
    });
    let mut at = 0;
    for values in summed {
        let weights = weights.cols(at..at + values.rows);
        // Each sum begins with 0, since `gemm` does not always add a whole sum to the output.
        if at == 0 {
            multiply(out, out_stride, Output::Set, weights, values, Threads::This);
        } else {
            multiply(part, values.cols, Output::Set, weights, values, Threads::This);
            for (row, part) in out.chunks_mut(out_stride).zip(part.chunks_exact(values.cols)) {
                row.iter_mut().zip(part).for_each(|(x, part)| *x += part);
            }
        }
        at += values.rows;
    }
}
