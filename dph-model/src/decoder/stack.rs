//! [`Decoder`]: embedding, blocks, norm and head.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{DType, FloatDType, Int, Tensor, module};
use dph_core::Layer;

use super::group::{Group, of_each};
use super::product::matmul_mixed;
use super::{Block, BlockParamKey, Head, Input, Norm, ParamKey, Parameter, Part, Pooler, kernels};

/// A stack of blocks: token ids to hidden states.
#[derive(Module, Debug)]
pub struct Decoder {
    /// Token embedding, `[vocab, embedding width]`.
    pub embedding: Param<Tensor<2>>,
    /// From the embedding to the residual stream.
    pub input: Input,
    /// The blocks, in order.
    pub blocks: Vec<Block>,
    /// Norm after the last block.
    pub output_norm: Option<Norm>,
    /// From the last state to logits.
    pub head: Head,
    /// Pooler of the first state of a sequence.
    pub pooler: Option<Pooler>,
}

impl Decoder {
    /// All parameters, in the order of [`DecoderConfig::param_keys`](super::DecoderConfig::param_keys).
    pub fn parameters(&self) -> Vec<(ParamKey, Parameter<'_>)> {
        let mut parameters = vec![(ParamKey::Embedding, Parameter::Rank2(&self.embedding))];
        let input = &self.input;
        parameters.extend(
            input.projection.iter().map(|it| (ParamKey::InputProjection, Parameter::Matrix(&it.weight))),
        );
        parameters.extend(input.positions.iter().map(|it| (ParamKey::Positions, Parameter::Rank2(it))));
        parameters.extend(input.token_types.iter().map(|it| (ParamKey::TokenTypes, Parameter::Rank2(it))));
        parameters.extend(input.norm.iter().flat_map(|it| norm(it, ParamKey::InputNorm)));
        for (index, block) in self.blocks.iter().enumerate() {
            let of_block = block_parameters(block);
            parameters.extend(of_block.map(|(key, parameter)| (ParamKey::Block(index, key), parameter)));
        }
        parameters.extend(self.output_norm.iter().flat_map(|it| norm(it, ParamKey::OutputNorm)));
        let head = &self.head;
        parameters.extend(
            head.projection.iter().map(|it| (ParamKey::HeadProjection, Parameter::Matrix(&it.weight))),
        );
        parameters.extend(head.untied.iter().map(|it| (ParamKey::Head, Parameter::Rank2(it))));
        if let Some(pooler) = &self.pooler {
            parameters.extend(linear(&pooler.dense, ParamKey::Pooler));
            parameters.extend(pooler.classifier.iter().flat_map(|it| linear(it, ParamKey::Classifier)));
        }
        parameters
    }

    /// The states of `layers`, in this order, each `[tokens, d_model]`. Blocks after the last requested layer are not
    /// run.
    ///
    /// # Shapes
    ///
    /// - ids: of all groups, `[rows, seq]` of a single one, or `[1, tokens]`
    ///
    /// # Panics
    ///
    /// If a layer does not exist.
    pub fn states(&self, ids: Tensor<2, Int>, groups: &mut [Group<'_>], layers: &[Layer]) -> Vec<Tensor<2>> {
        // With a cache every block must run, since the next call needs its keys and values.
        let is_cached = groups.iter().any(|group| group.cache.is_some());
        let needed = if is_cached { self.blocks.len() } else { self.blocks_needed(layers) };
        let mut found: Vec<Option<Tensor<2>>> = vec![None; layers.len()];
        let mut keep = |layer: Layer, state: &Tensor<2>| {
            for (place, _) in found.iter_mut().zip(layers).filter(|(_, requested)| **requested == layer) {
                *place = Some(state.clone());
            }
        };
        let input = |embedded, group: &mut Group<'_>| self.input.forward(embedded, &group.layout.host);
        let mut stream = of_each(self.embed(ids), groups, input);
        keep(Layer::At(0), &stream);
        for (index, block) in self.blocks[..needed].iter().enumerate() {
            stream = run(block, stream, groups, index);
            keep(Layer::At(index + 1), &stream);
        }
        if layers.contains(&Layer::Last) {
            keep(Layer::Last, &self.last(stream));
        }
        found.into_iter().flatten().collect()
    }

    /// Number of blocks that these layers need.
    ///
    /// # Panics
    ///
    /// If a layer does not exist.
    pub(crate) fn blocks_needed(&self, layers: &[Layer]) -> usize {
        let depth = self.blocks.len();
        let needed = layers.iter().map(|layer| match layer {
            Layer::At(index) => *index,
            Layer::Last => depth,
        });
        let needed = needed.max().unwrap_or(0);
        assert!(needed <= depth, "layer {needed} was asked of a model with {depth} blocks");
        needed
    }

    /// The state of [`Layer::Last`] from the output of the last block, both `[tokens, d_model]`.
    pub(crate) fn last(&self, stream: Tensor<2>) -> Tensor<2> {
        match &self.output_norm {
            Some(norm) => norm.forward(stream),
            None => stream,
        }
    }

    /// Logits for last states, `[tokens, d_model]` to `[tokens, vocab]`.
    pub fn logits(&self, states: Tensor<2>) -> Tensor<2> {
        let states = self.head.project(states);
        matmul_mixed(states, self.head.matrix(&self.embedding).transpose())
    }

    /// Rows of the embedding for token ids, `[rows, seq]` to `[rows · seq, embedding width]`.
    pub(crate) fn embed(&self, ids: Tensor<2, Int>) -> Tensor<2> {
        let [rows, seq] = ids.dims();
        let embedded = module::embedding(self.embedding.val(), ids);
        let width = embedded.dims()[2];
        let embedded = embedded.reshape([rows * seq, width]);
        match embedded.dtype() {
            DType::F16 | DType::BF16 => embedded.cast(FloatDType::F32),
            _ => embedded,
        }
    }
}

/// The residual stream after a block, by a fused kernel if there is one for the device and no gradient is needed. The
/// state of padding is then unspecified.
fn run(block: &Block, stream: Tensor<2>, groups: &mut [Group<'_>], index: usize) -> Tensor<2> {
    kernels::block(block, stream, groups, index).unwrap_or_else(|stream| block.forward(stream, groups, index))
}

fn block_parameters(block: &Block) -> impl Iterator<Item = (BlockParamKey, Parameter<'_>)> {
    let attention = &block.attention;
    let mut parameters: Vec<_> = norm(&block.attention_norm, BlockParamKey::AttentionNorm).collect();
    parameters.extend(linear(&attention.qkv, BlockParamKey::Qkv));
    if let Some(norm) = &attention.norm {
        parameters.push((BlockParamKey::QueryNorm, Parameter::Rank2(&norm.query)));
        parameters.push((BlockParamKey::KeyNorm, Parameter::Rank2(&norm.key)));
    }
    if let Some(registers) = &attention.registers {
        parameters.push((BlockParamKey::RegisterKeys, Parameter::Rank3(&registers.keys)));
        parameters.push((BlockParamKey::RegisterValues, Parameter::Rank3(&registers.values)));
    }
    parameters.extend(linear(&attention.output, BlockParamKey::AttentionOutput));
    parameters.extend(norm(&block.mlp_norm, BlockParamKey::MlpNorm));
    parameters.extend(linear(&block.mlp.input, BlockParamKey::MlpInput));
    parameters.extend(linear(&block.mlp.output, BlockParamKey::MlpOutput));
    parameters.into_iter()
}

fn linear<S>(linear: &Linear, key: impl Fn(Part) -> S) -> impl Iterator<Item = (S, Parameter<'_>)> {
    let bias = linear.bias.as_ref().map(|bias| (key(Part::Bias), Parameter::Rank1(bias)));
    [(key(Part::Weight), Parameter::Matrix(&linear.weight))].into_iter().chain(bias)
}

fn norm<S>(norm: &Norm, key: impl Fn(Part) -> S) -> impl Iterator<Item = (S, Parameter<'_>)> {
    let bias = norm.bias.as_ref().map(|bias| (key(Part::Bias), Parameter::Rank1(bias)));
    [(key(Part::Weight), Parameter::Rank1(&norm.weight))].into_iter().chain(bias)
}
