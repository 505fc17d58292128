//! The parameters of a block as slices.

use burn::nn::Linear;

use super::matrix::{Matrix, Output, Threads, multiply};
use super::simd::{self, NormSlices};
use super::slices::{Primitive, compact, elements, matrix, primitive};
use crate::decoder::{Activation, Block, Norm, QueryKeyNormConfig, Residual};

/// The parameters of a block as tensors of the backend.
pub(super) struct Parameters<'a> {
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

/// The parameters of a block as slices.
pub(super) struct Weights<'a> {
    pub residual: Residual,
    pub activation: Activation,
    pub attention_norm: NormSlices<'a>,
    pub qkv: LinearSlices<'a>,
    pub query_key: Option<QueryKeySlices<'a>>,
    pub registers: Option<RegisterSlices<'a>>,
    pub output: LinearSlices<'a>,
    pub mlp_norm: NormSlices<'a>,
    pub mlp_input: LinearSlices<'a>,
    pub mlp_output: LinearSlices<'a>,
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
    /// The weight of head `index` of the queries, or of head `key` of the keys.
    #[inline(always)]
    pub fn for_head(&self, index: usize, key: Option<usize>, head_dim: usize) -> &[f32] {
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

/// A linear layer.
pub(super) struct LinearSlices<'a> {
    pub matrix: Matrix<'a>,
    bias: Option<&'a [f32]>,
}

impl LinearSlices<'_> {
    /// Applies the layer to states, `[tokens, inputs]`, and writes or adds `[tokens, outputs]`.
    pub fn apply(&self, out: &mut [f32], output: Output, states: Matrix, threads: Threads) {
        multiply(out, self.matrix.cols, output, states, self.matrix, threads);
        if let Some(bias) = self.bias {
            simd::add_bias(out, bias);
        }
    }
}

impl<'a> Parameters<'a> {
    pub fn new(block: &'a Block) -> Option<Self> {
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

    pub fn weights(&self) -> Option<Weights<'_>> {
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
