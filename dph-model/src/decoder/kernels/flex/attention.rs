//! Attention over spans. Only unmasked scores are computed, and heads are not copied.

use rayon::prelude::*;

use super::cache::{Cached, CachedPrefix};
use super::heads::Heads;
use super::matrix::{Matrix, Output, Threads, multiply};
use super::weights::{QueryKeySlices, RegisterSlices};
use super::{scratch, simd};
use crate::decoder::{HostLayout, Rotation, Span};

/// Queries per block: their scores for some thousand keys fit into the CPU cache.
const QUERIES: usize = 64;

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
        let tokens = &qkv[block.row * layout.seq * heads.width()..][..layout.seq * heads.width()];
        let prefix = cached.map(|cached| cached.prefix(block.row, layout));
        attend_block(tokens, heads, registers[block.row].as_ref(), prefix, layout.causal, block, out);
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

/// The weighted values of a block of queries; `tokens` are all new tokens of the row.
fn attend_block(
    tokens: &[f32],
    heads: &Heads,
    registers: Option<&ScaledRegisters>,
    prefix: Option<CachedPrefix>,
    causal: bool,
    block: QueryBlock,
    out: &mut [f32],
) {
    let QueryBlock { span, first, end, .. } = block;
    let (d, width) = (heads.head_dim, heads.width());
    let queries = end - first;
    // The end of the columns that the queries attend to.
    let seen_end = if causal { end } else { span.end };
    let fixed = registers.map_or(0, |registers| registers.count);
    let prefix = prefix.filter(|prefix| prefix.count() > 0);
    let outside: usize = span.outside().map(|(_, count)| count).sum();
    let keys = fixed + prefix.as_ref().map_or(0, CachedPrefix::count) + outside + seen_end - span.start;
    scratch::with(queries * keys, |scores| {
        for head in 0..heads.n_heads {
            let kv = head * heads.n_kv_heads / heads.n_heads;
            let part = |column: usize, start: usize, count: usize| {
                Matrix::new(&tokens[start * width + column * d..], count, d, width)
            };
            // The new tokens that the block attends to, after registers and cached tokens.
            let new = |column: usize| {
                let own = (span.start, seen_end - span.start);
                span.outside().chain([own]).map(move |(start, count)| part(column, start, count))
            };

            let query = part(head, first, queries);
            let mut at = 0;
            let fixed_parts = registers.map(|registers| registers.parts(kv, d));
            let fixed_keys = fixed_parts.map(|[keys, _]| keys);
            let prefix_keys = prefix.as_ref().map(|prefix| prefix.keys(kv));
            for key in fixed_keys.into_iter().chain(prefix_keys).chain(new(heads.n_heads + kv)) {
                multiply(&mut scores[at..], keys, Output::Set, query, key.transposed(), Threads::This);
                at += key.rows;
            }
            let mut scale = [0.0; QUERIES];
            simd::fast(
                #[inline(always)]
                || {
                    for (index, row) in scores.chunks_exact_mut(keys).enumerate() {
                        let ahead = if causal { queries - 1 - index } else { 0 };
                        let (visible, hidden) = row.split_at_mut(keys - ahead);
                        scale[index] = 1.0 / simd::exp_scores(visible);
                        hidden.fill(0.0);
                    }
                },
            );
            let (mut at, mut output) = (0, Output::Set);
            let fixed_values = fixed_parts.map(|[_, values]| values);
            let prefix_values = prefix.as_ref().map(|prefix| prefix.values(kv));
            let new_values = new(heads.n_heads + heads.n_kv_heads + kv);
            for value in fixed_values.into_iter().chain(prefix_values).chain(new_values) {
                let weights = Matrix::new(&scores[at..], queries, value.rows, keys);
                multiply(&mut out[head * d..], heads.context_width(), output, weights, value, Threads::This);
                (at, output) = (at + value.rows, Output::Add);
            }
            for (row, scale) in out.chunks_exact_mut(heads.context_width()).zip(scale) {
                row[head * d..][..d].iter_mut().for_each(|x| *x *= scale);
            }
        }
    });
}
