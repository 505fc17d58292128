//! A block of a decoder as one kernel: matrix products with one pass over memory between them.

use burn::backend::Flex;
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

use super::activation;
use super::attention::{attend, rotate_heads};
use super::cache::Cached;
use super::heads::Heads;
use super::matrix::{Matrix, Output, Threads};
use super::scratch;
use super::shared_attention::attend_shared;
use super::simd;
use super::slices::{compact, elements, primitive};
use super::weights::{Parameters, Weights};
use crate::decoder::{Block, Cache, Group, HostLayout, Residual};

/// Fewest and most tokens that a thread processes at a time. With fewer, reading the weights dominates; with more,
/// intermediate results do not fit into the CPU cache.
const STRIP: std::ops::RangeInclusive<usize> = 128..=512;

/// The residual stream after `block`, which has this index, or the unchanged stream if this kernel does not apply.
#[expect(clippy::result_large_err, reason = "the other variant is as large")]
pub(crate) fn block(
    block: &Block,
    stream: Tensor<2>,
    groups: &mut [Group<'_>],
    index: usize,
) -> Result<Tensor<2>, Tensor<2>> {
    let parameters = Parameters::new(block);
    let Some(weights) = parameters.as_ref().and_then(Parameters::weights) else { return Err(stream) };
    // Cached keys are used unchanged.
    let applies = |group: &Group<'_>| group.layout.host.prefix == 0 || !is_raw(group.cache.as_deref());
    if primitive(stream.clone()).is_none() || !groups.iter().all(applies) {
        return Err(stream);
    }
    let device = stream.device();
    // If there is no other owner, the stream is changed in place.
    let Some(mut stream) = compact(stream) else { unreachable!("it was one before") };

    let heads = Heads::new(&block.attention);
    let mut qkv = project(elements(&stream), &weights);
    let attend = |(qkv, layout, cache): (&mut [f32], &HostLayout, Option<&mut Cache>)| {
        attended(qkv, layout, cache.map(|cache| (cache, index)), &heads, &weights, &device)
    };
    let mut rest = &mut qkv[..];
    let mut parts = Vec::with_capacity(groups.len());
    for group in groups {
        let (own, behind) = rest.split_at_mut(group.tokens() * heads.width());
        parts.push((own, &group.layout.host, group.cache.as_deref_mut()));
        rest = behind;
    }
    let contexts: Vec<Vec<f32>> = parts.into_par_iter().map(attend).collect();
    let context = match <[_; 1]>::try_from(contexts) {
        Ok([context]) => context,
        Err(contexts) => contexts.concat(),
    };
    finish(stream.storage_mut::<f32>(), &context, &weights);
    Ok(Tensor::from_primitive::<Flex>(stream))
}

/// Whether keys are cached before their norm and rotation.
fn is_raw(cache: Option<&Cache>) -> bool {
    cache.is_some_and(|cache| !cache.keys_are_rotated())
}

/// The weighted values of the tokens of a group, `[tokens, n_heads · head_dim]`. `qkv` is `[tokens, qkv width]`.
fn attended(
    qkv: &mut [f32],
    layout: &HostLayout,
    cache: Option<(&mut Cache, usize)>,
    heads: &Heads,
    weights: &Weights,
    device: &Device,
) -> Vec<f32> {
    let extend = |cache, qkv: &[f32]| Cached::extend(cache, qkv, heads, layout, device);
    let rotate = |qkv: &mut [f32]| rotate_heads(qkv, heads, weights.query_key, &layout.rotation);
    let cached = match cache {
        Some(cache) if is_raw(Some(&*cache.0)) => {
            let cached = extend(cache, qkv);
            rotate(qkv);
            Some(cached)
        }
        cache => {
            rotate(qkv);
            cache.map(|cache| extend(cache, qkv))
        }
    };
    let shared = cached.as_ref().and_then(|cached| Some((cached, cached.shared()?)));
    match shared {
        Some((cached, shared)) => attend_shared(qkv, heads, weights.registers, cached, shared, layout),
        None => attend(qkv, heads, weights.registers, cached.as_ref(), layout),
    }
}

/// Queries, keys and values of the stream, `[tokens, qkv width]`.
fn project(stream: &[f32], weights: &Weights) -> Vec<f32> {
    let (d_model, width) = (weights.qkv.matrix.rows, weights.qkv.matrix.cols);
    let tokens = stream.len() / d_model;
    let mut qkv = vec![0.0; tokens * width];
    let (strip, threads) = divide(tokens);
    qkv.par_chunks_mut(strip * width).zip(stream.par_chunks(strip * d_model)).for_each(|(qkv, stream)| {
        let apply = |qkv: &mut [f32], states: &[f32]| {
            let states = Matrix::new(states, states.len() / d_model, d_model, d_model);
            weights.qkv.apply(qkv, Output::Set, states, threads);
        };
        match weights.residual {
            Residual::PostNorm => apply(qkv, stream),
            Residual::PreNorm | Residual::Parallel => scratch::with(stream.len(), |normal| {
                simd::normalise(stream, normal, d_model, &weights.attention_norm);
                apply(qkv, normal);
            }),
        }
    });
    qkv
}

/// Adds the projected attention and then the feed-forward network to the stream.
fn finish(stream: &mut [f32], context: &[f32], weights: &Weights) {
    let (attended, d_model) = (weights.output.matrix.rows, weights.output.matrix.cols);
    let (width, d_ffn) = (weights.mlp_input.matrix.cols, weights.mlp_output.matrix.rows);
    let (strip, threads) = divide(stream.len() / d_model);
    stream.par_chunks_mut(strip * d_model).zip(context.par_chunks(strip * attended)).for_each(
        |(stream, context)| {
            let tokens = stream.len() / d_model;
            let attend = |stream: &mut [f32]| {
                let context = Matrix::new(context, tokens, attended, attended);
                weights.output.apply(stream, Output::Add, context, threads);
            };
            scratch::with(tokens * (d_model + width), |memory| {
                let (normal, hidden) = memory.split_at_mut(tokens * d_model);
                match weights.residual {
                    Residual::PreNorm => {
                        attend(stream);
                        simd::normalise(stream, normal, d_model, &weights.mlp_norm);
                    }
                    Residual::Parallel => {
                        simd::normalise(stream, normal, d_model, &weights.mlp_norm);
                        attend(stream);
                    }
                    Residual::PostNorm => {
                        attend(stream);
                        simd::normalise(stream, normal, d_model, &weights.attention_norm);
                        stream.copy_from_slice(normal);
                    }
                }
                let states = Matrix::new(normal, tokens, d_model, d_model);
                weights.mlp_input.apply(hidden, Output::Set, states, threads);
                if width == d_ffn {
                    activation::activate(hidden, weights.activation);
                } else {
                    activation::gate(hidden, d_ffn, weights.activation);
                }
                let hidden = Matrix::new(hidden, tokens, d_ffn, width);
                weights.mlp_output.apply(stream, Output::Add, hidden, threads);
                if weights.residual == Residual::PostNorm {
                    simd::normalise(stream, normal, d_model, &weights.mlp_norm);
                    stream.copy_from_slice(normal);
                }
            });
        },
    );
}

/// Number of tokens per strip, and the threads that multiply within a strip: all if there is only one strip.
fn divide(tokens: usize) -> (usize, Threads) {
    let threads = rayon::current_num_threads();
    let most = tokens / STRIP.start();
    let strips = tokens.div_ceil(*STRIP.end()).max(threads.min(most));
    // The same number for each thread, if the strips do not become too short.
    let even = strips.next_multiple_of(threads);
    match if even <= most { even } else { strips } {
        0 | 1 => (tokens.max(1), Threads::All),
        strips => (tokens.div_ceil(strips), Threads::This),
    }
}
