//! Attention of rows that share prompts: the rows of a prompt are stacked, so that its keys and values are read once.

use std::ops::Range;

use rayon::prelude::*;

use super::attention::ScaledRegisters;
use super::cache::{Cached, Shared};
use super::heads::Heads;
use super::matrix::{Matrix, Output, Threads, multiply};
use super::weights::RegisterSlices;
use super::{scratch, simd};
use crate::decoder::HostLayout;

/// Most rows of a block: their scores fit into the CPU cache.
const ROWS: usize = 32;

/// The weighted values of all new tokens, `[tokens, n_heads · head_dim]`. Attention is causal.
pub(super) fn attend_shared(
    qkv: &[f32],
    heads: &Heads,
    registers: Option<RegisterSlices>,
    cached: &Cached,
    shared: &Shared,
    layout: &HostLayout,
) -> Vec<f32> {
    let registers = registers.map(|registers| {
        let temperature = layout.rotation.temperatures.first().copied().unwrap_or(1.0);
        ScaledRegisters::new(registers, temperature, heads)
    });
    let blocks: Vec<RowBlock> = blocks(shared, heads, layout.rows);
    let attend =
        |block: &RowBlock| attend_block(qkv, heads, registers.as_ref(), cached, shared, layout, block);
    let outputs: Vec<Vec<f32>> = blocks.par_iter().map(attend).collect();
    let (d, group, width) = (heads.head_dim, heads.n_heads / heads.n_kv_heads, heads.context_width());
    let mut context = vec![0.0; layout.rows * layout.seq * width];
    for (block, output) in blocks.iter().zip(outputs) {
        let tokens = block.rows.start * layout.seq..block.rows.end * layout.seq;
        // The heads of a group are neighbours.
        let first = block.head * group * d;
        for (token, values) in tokens.zip(output.chunks_exact(group * d)) {
            context[token * width + first..][..group * d].copy_from_slice(values);
        }
    }
    context
}

/// Rows that continue the same prompt, and a head of the keys.
struct RowBlock {
    prompt: usize,
    rows: Range<usize>,
    head: usize,
}

/// At least two blocks for each thread, if there are as many rows.
fn blocks(shared: &Shared, heads: &Heads, rows: usize) -> Vec<RowBlock> {
    let size = (rows * heads.n_kv_heads / (2 * rayon::current_num_threads())).clamp(1, ROWS);
    let mut blocks = Vec::new();
    for (prompt, run) in &shared.runs {
        for start in run.clone().step_by(size) {
            let rows = start..(start + size).min(run.end);
            let of_head = |head| RowBlock { prompt: *prompt, rows: rows.clone(), head };
            blocks.extend((0..heads.n_kv_heads).map(of_head));
        }
    }
    blocks
}

/// The weighted values of a block, `[rows, seq, group, head_dim]`.
fn attend_block(
    qkv: &[f32],
    heads: &Heads,
    registers: Option<&ScaledRegisters>,
    cached: &Cached,
    shared: &Shared,
    layout: &HostLayout,
    block: &RowBlock,
) -> Vec<f32> {
    let (d, width, seq, group) =
        (heads.head_dim, heads.width(), layout.seq, heads.n_heads / heads.n_kv_heads);
    // Queries of a row, and of the block.
    let (of_row, queries) = (seq * group, block.rows.len() * seq * group);
    let padding = layout.padding[block.rows.start];
    let [prompt_keys, prompt_values] = shared.parts(block.prompt, block.head, padding);
    let fixed = registers.map(|registers| registers.parts(block.head, d));
    let own: Vec<_> = block.rows.clone().map(|row| cached.own(row, block.head)).collect();
    let before = fixed.map_or(0, |[keys, _]| keys.rows) + prompt_keys.rows;
    let keys = before + own.first().map_or(0, |[keys, _]| keys.rows);
    let mut out = vec![0.0; queries * d];
    scratch::with(queries * (d + keys), |memory| {
        let (query, scores) = memory.split_at_mut(queries * d);
        let tokens = block.rows.start * seq..block.rows.end * seq;
        for (token, query) in tokens.zip(query.chunks_exact_mut(group * d)) {
            query.copy_from_slice(&qkv[token * width + block.head * group * d..][..group * d]);
        }
        let queries_from = |first: usize, count: usize| Matrix::new(&query[first * d..], count, d, d);
        let mut at = 0;
        for key in fixed.map(|[keys, _]| keys).into_iter().chain([prompt_keys]) {
            let all = queries_from(0, queries);
            multiply(&mut scores[at..], keys, Output::Set, all, key.transposed(), Threads::This);
            at += key.rows;
        }
        for (index, [key, _]) in own.iter().enumerate() {
            let scores = &mut scores[index * of_row * keys + before..];
            let of_row = queries_from(index * of_row, of_row);
            multiply(scores, keys, Output::Set, of_row, key.transposed(), Threads::This);
        }
        let mut scale = vec![0.0; queries];
        // New tokens behind the query's own.
        let hidden = |query: usize| seq - 1 - query % of_row / group;
        simd::exp_visible(scores, keys, hidden, |query, _, sum| scale[query] = 1.0 / sum);
        let (mut at, mut output) = (0, Output::Set);
        for value in fixed.map(|[_, values]| values).into_iter().chain([prompt_values]) {
            let weights = Matrix::new(&scores[at..], queries, value.rows, keys);
            multiply(&mut out, d, output, weights, value, Threads::This);
            (at, output) = (at + value.rows, Output::Add);
        }
        for (index, [_, value]) in own.iter().enumerate() {
            let weights = Matrix::new(&scores[index * of_row * keys + before..], of_row, value.rows, keys);
            multiply(&mut out[index * of_row * d..], d, Output::Add, weights, *value, Threads::This);
        }
        for (row, scale) in out.chunks_exact_mut(d).zip(scale) {
            row.iter_mut().for_each(|x| *x *= scale);
        }
    });
    out
}
