//! A whole block of a decoder: matrix products, and one pass over memory between each two of them.

use burn::backend::Flex;
use burn::nn::Linear;
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::activation;
use super::attention::{Heads, attend, rotate_heads};
use super::cache::Cached;
use super::matrix::{Matrix, Output, Threads, multiply};
use super::scratch;
use super::simd::{self, NormSlices};
use super::slices::{Primitive, compact, elements, matrix, primitive};
use crate::decoder::{Activation, Block, Cache, Layout, Norm, QueryKeyNormConfig, Residual};

/// Fewest and most tokens that a thread takes through a chain of products at a time. With fewer, reading the weights
/// is not worth it; with more, what lies between two products leaves the cache.
const STRIP: std::ops::RangeInclusive<usize> = 128..=512;

/// The residual stream behind `block`, or the stream given back where this kernel does not apply.
#[expect(clippy::result_large_err, reason = "the other variant is as large")]
pub(crate) fn block(
    block: &Block,
    stream: Tensor<2>,
    layout: &Layout,
    cache: Option<(&mut Cache, usize)>,
) -> Result<Tensor<2>, Tensor<2>> {
    let parameters = Parameters::of(block);
    let Some(weights) = parameters.as_ref().and_then(Parameters::weights) else { return Err(stream) };
    // Cached keys are used as they lie there.
    let is_raw = cache.as_ref().is_some_and(|(cache, _)| !cache.is_turned());
    if primitive(stream.clone()).is_none() || (is_raw && layout.past > 0) {
        return Err(stream);
    }
    let device = stream.device();
    // With no other owner the stream is changed in place.
    let Some(mut stream) = compact(stream) else { unreachable!("it was one before") };

    let heads = Heads::of(&block.attention);
    let mut qkv = project(elements(&stream), &weights);
    let extend = |cache, qkv: &[f32]| Cached::extend(cache, qkv, &heads, layout, &device);
    let turn = |qkv: &mut [f32]| rotate_heads(qkv, &heads, weights.query_key, &layout.rotation);
    let cached = match cache {
        Some(cache) if is_raw => {
            let cached = extend(cache, &qkv);
            turn(&mut qkv);
            Some(cached)
        }
        cache => {
            turn(&mut qkv);
            cache.map(|cache| extend(cache, &qkv))
        }
    };
    let context = attend(&qkv, &heads, weights.registers, cached.as_ref(), layout);
    finish(stream.storage_mut::<f32>(), &context, &weights);
    Ok(Tensor::from_primitive::<Flex>(stream))
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

/// Tokens a strip, and who multiplies within one: all threads if there is but one strip.
fn divide(tokens: usize) -> (usize, Threads) {
    let threads = rayon::current_num_threads();
    let most = tokens / STRIP.start();
    let strips = tokens.div_ceil(*STRIP.end()).max(threads.min(most));
    // As many for each thread, if they do not become too short.
    let even = strips.next_multiple_of(threads);
    match if even <= most { even } else { strips } {
        0 | 1 => (tokens.max(1), Threads::All),
        strips => (tokens.div_ceil(strips), Threads::This),
    }
}

/// The parameters of a block as they lie in memory.
struct Parameters<'a> {
    block: &'a Block,
    attention_norm: (Primitive, Option<Primitive>),
    qkv: (Primitive, Option<Primitive>),
    query_key: Option<(Primitive, Primitive)>,
    registers: Option<(Primitive, Primitive)>,
    output: (Primitive, Option<Primitive>),
    mlp_norm: (Primitive, Option<Primitive>),
    mlp_input: (Primitive, Option<Primitive>),
    mlp_output: (Primitive, Option<Primitive>),
}

/// The same as slices, and how to use them.
struct Weights<'a> {
    residual: Residual,
    activation: Activation,
    attention_norm: NormSlices<'a>,
    qkv: LinearSlices<'a>,
    query_key: Option<QueryKeySlices<'a>>,
    registers: Option<RegisterSlices<'a>>,
    output: LinearSlices<'a>,
    mlp_norm: NormSlices<'a>,
    mlp_input: LinearSlices<'a>,
    mlp_output: LinearSlices<'a>,
}

/// The parameters of a query/key norm.
#[derive(Clone, Copy)]
pub(super) struct QueryKeySlices<'a> {
    /// `[n_heads, head_dim]`, or `[head_dim]`.
    pub query: &'a [f32],
    /// `[n_kv_heads, head_dim]`, or `[head_dim]`.
    pub key: &'a [f32],
    pub config: QueryKeyNormConfig,
}

impl QueryKeySlices<'_> {
    /// The weight of a head, which is the `index`th of the queries, or the `key`th of the keys.
    #[inline(always)]
    pub fn of_head(&self, index: usize, key: Option<usize>, head_dim: usize) -> &[f32] {
        let (weights, head) = match key {
            Some(key) => (self.key, key),
            None => (self.query, index),
        };
        match self.config {
            QueryKeyNormConfig::PerHead { .. } => &weights[head * head_dim..][..head_dim],
            QueryKeyNormConfig::Shared { .. } => weights,
        }
    }
}

/// Registers, both `[n_kv_heads, registers, head_dim]`.
#[derive(Clone, Copy)]
pub(super) struct RegisterSlices<'a> {
    pub keys: &'a [f32],
    pub values: &'a [f32],
}

struct LinearSlices<'a> {
    matrix: Matrix<'a>,
    bias: Option<&'a [f32]>,
}

impl LinearSlices<'_> {
    fn apply(&self, out: &mut [f32], output: Output, states: Matrix, threads: Threads) {
        multiply(out, self.matrix.cols, output, states, self.matrix, threads);
        if let Some(bias) = self.bias {
            simd::add_bias(out, bias);
        }
    }
}

impl<'a> Parameters<'a> {
    fn of(block: &'a Block) -> Option<Self> {
        let attention = &block.attention;
        Some(Self {
            block,
            attention_norm: norm(&block.attention_norm)?,
            qkv: linear(&attention.qkv)?,
            query_key: match &attention.norm {
                Some(norm) => Some((compact(norm.query.val())?, compact(norm.key.val())?)),
                None => None,
            },
            registers: match &attention.registers {
                Some(registers) => Some((compact(registers.keys.val())?, compact(registers.values.val())?)),
                None => None,
            },
            output: linear(&attention.output)?,
            mlp_norm: norm(&block.mlp_norm)?,
            mlp_input: linear(&block.mlp.input)?,
            mlp_output: linear(&block.mlp.output)?,
        })
    }

    fn weights(&self) -> Option<Weights<'_>> {
        let attention = &self.block.attention;
        Some(Weights {
            residual: self.block.residual,
            activation: self.block.mlp.activation,
            attention_norm: slices_of_norm(&self.block.attention_norm, &self.attention_norm),
            qkv: slices_of_linear(&self.qkv)?,
            query_key: self.query_key.as_ref().zip(attention.norm.as_ref()).map(|((query, key), norm)| {
                QueryKeySlices { query: elements(query), key: elements(key), config: norm.config }
            }),
            registers: self
                .registers
                .as_ref()
                .map(|(keys, values)| RegisterSlices { keys: elements(keys), values: elements(values) }),
            output: slices_of_linear(&self.output)?,
            mlp_norm: slices_of_norm(&self.block.mlp_norm, &self.mlp_norm),
            mlp_input: slices_of_linear(&self.mlp_input)?,
            mlp_output: slices_of_linear(&self.mlp_output)?,
        })
    }
}

fn linear(linear: &Linear) -> Option<(Primitive, Option<Primitive>)> {
    let bias = match &linear.bias {
        Some(bias) => Some(compact(bias.val())?),
        None => None,
    };
    Some((primitive(linear.weight.val())?, bias))
}

fn norm(norm: &Norm) -> Option<(Primitive, Option<Primitive>)> {
    let bias = match &norm.bias {
        Some(bias) => Some(compact(bias.val())?),
        None => None,
    };
    Some((compact(norm.weight.val())?, bias))
}

fn slices_of_linear((weight, bias): &(Primitive, Option<Primitive>)) -> Option<LinearSlices<'_>> {
    Some(LinearSlices { matrix: matrix(weight)?, bias: bias.as_ref().map(elements) })
}

fn slices_of_norm<'a>(norm: &Norm, (weight, bias): &'a (Primitive, Option<Primitive>)) -> NormSlices<'a> {
    NormSlices::new(norm, elements(weight), bias.as_ref().map(elements))
}
