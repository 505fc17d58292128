//! [`Decoder`]: embedding, blocks, norm and head in a row.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Int, Tensor, TensorData, module};
use dph_core::Layer;

use super::transpose::transpose;
use super::{
    Attention, Block, BlockSlot, Cache, DecoderConfig, Head, Input, Mlp, Norm, Parameter, Part, Pass, Pooler,
    PoolerConfig, Positions, QueryKeyNorm, Registers, Slot,
};

/// A stack of blocks: token ids to hidden states.
#[derive(Module, Debug)]
pub struct Decoder {
    /// Token embedding, `[vocab, embedding width]`.
    pub embedding: Param<Tensor<2>>,
    /// From the embedding into the residual stream.
    pub input: Input,
    /// The blocks, in order.
    pub blocks: Vec<Block>,
    /// Norm behind the last block.
    pub output_norm: Option<Norm>,
    /// From the last state to logits.
    pub head: Head,
    /// What is made of the first state of a sequence.
    pub pooler: Option<Pooler>,
}

impl Decoder {
    /// A decoder whose parameters come from `source`, which is asked once for each of
    /// [`DecoderConfig::slots`] and has to answer with f32 data of the shape it is given.
    ///
    /// # Errors
    ///
    /// The first error of `source`.
    pub fn assemble<E>(
        config: &DecoderConfig,
        device: &Device,
        source: impl FnMut(Slot, &[usize]) -> Result<TensorData, E>,
    ) -> Result<Self, E> {
        let mut parts = Assembly { config, device, source };
        let embedding = parts.param(Slot::Embedding)?;
        let factored = config.d_vocab.is_some();
        let input = Input {
            projection: when(factored, || parts.linear(|_| Slot::InputProjection, false))?,
            positions: when(config.limit().is_some(), || parts.param(Slot::Positions))?,
            token_types: when(config.token_types > 0, || parts.param(Slot::TokenTypes))?,
            norm: when(config.input_norm, || parts.norm(Slot::InputNorm))?,
            offset: match config.positions {
                Positions::Learned { offset } => offset,
                Positions::Rotary(_) => 0,
            },
        };
        let blocks = (0..config.n_layers).map(|index| parts.block(index)).collect::<Result<_, E>>()?;
        let output_norm = when(config.output_norm, || parts.norm(Slot::OutputNorm))?;
        let head = Head {
            projection: when(factored, || parts.linear(|_| Slot::HeadProjection, false))?,
            untied: when(!config.tied_head, || parts.param(Slot::Head))?,
        };
        let pooler = match config.pooler {
            Some(PoolerConfig { labels }) => Some(Pooler {
                dense: parts.linear(Slot::Pooler, true)?,
                classifier: when(labels > 0, || parts.linear(Slot::Classifier, true))?,
            }),
            None => None,
        };
        Ok(Self { embedding, input, blocks, output_norm, head, pooler })
    }

    /// All parameters, in the order of [`DecoderConfig::slots`].
    pub fn parameters(&self) -> Vec<(Slot, Parameter<'_>)> {
        let mut parameters = vec![(Slot::Embedding, Parameter::Rank2(&self.embedding))];
        let input = &self.input;
        parameters
            .extend(input.projection.iter().map(|it| (Slot::InputProjection, Parameter::Matrix(&it.weight))));
        parameters.extend(input.positions.iter().map(|it| (Slot::Positions, Parameter::Rank2(it))));
        parameters.extend(input.token_types.iter().map(|it| (Slot::TokenTypes, Parameter::Rank2(it))));
        parameters.extend(input.norm.iter().flat_map(|it| norm(it, Slot::InputNorm)));
        for (index, block) in self.blocks.iter().enumerate() {
            let of_block = block_parameters(block);
            parameters.extend(of_block.map(|(slot, parameter)| (Slot::Block(index, slot), parameter)));
        }
        parameters.extend(self.output_norm.iter().flat_map(|it| norm(it, Slot::OutputNorm)));
        let head = &self.head;
        parameters
            .extend(head.projection.iter().map(|it| (Slot::HeadProjection, Parameter::Matrix(&it.weight))));
        parameters.extend(head.untied.iter().map(|it| (Slot::Head, Parameter::Rank2(it))));
        if let Some(pooler) = &self.pooler {
            parameters.extend(linear(&pooler.dense, Slot::Pooler));
            parameters.extend(pooler.classifier.iter().flat_map(|it| linear(it, Slot::Classifier)));
        }
        parameters
    }

    /// The states of `layers`, in their order, each `[tokens, d_model]`; no block behind the last one wanted is run.
    ///
    /// # Shapes
    ///
    /// - ids: `[rows, seq]`
    ///
    /// # Panics
    ///
    /// If a layer does not exist.
    pub fn states(
        &self,
        ids: Tensor<2, Int>,
        pass: &Pass,
        layers: &[Layer],
        mut cache: Option<&mut Cache>,
    ) -> Vec<Tensor<2>> {
        let depth = self.blocks.len();
        let needed = layers.iter().map(|layer| match layer {
            Layer::At(index) => *index,
            Layer::Last => depth,
        });
        // A cache must hear of every block, or the next call would find holes in it.
        let needed = if cache.is_some() { depth } else { needed.max().unwrap_or(0) };
        assert!(needed <= depth, "layer {needed} was asked of a model with {depth} blocks");

        let mut found: Vec<Option<Tensor<2>>> = vec![None; layers.len()];
        let mut keep = |layer: Layer, state: &Tensor<2>| {
            for (place, _) in found.iter_mut().zip(layers).filter(|(_, wanted)| **wanted == layer) {
                *place = Some(state.clone());
            }
        };
        let mut stream = self.input.forward(self.embed(ids), &pass.layout);
        keep(Layer::At(0), &stream);
        for (index, block) in self.blocks[..needed].iter().enumerate() {
            stream = block.forward(stream, pass, cache.as_deref_mut().map(|cache| (cache, index)));
            keep(Layer::At(index + 1), &stream);
        }
        if layers.contains(&Layer::Last) {
            let last = match &self.output_norm {
                Some(norm) => norm.forward(stream),
                None => stream,
            };
            keep(Layer::Last, &last);
        }
        found.into_iter().flatten().collect()
    }

    /// Logits for last states, `[tokens, d_model]` to `[tokens, vocab]`.
    pub fn logits(&self, states: Tensor<2>) -> Tensor<2> {
        let states = self.head.project(states);
        states.matmul(self.head.matrix(&self.embedding).transpose())
    }

    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<2> {
        let [rows, seq] = ids.dims();
        let embedded = module::embedding(self.embedding.val(), ids);
        let width = embedded.dims()[2];
        embedded.reshape([rows * seq, width])
    }
}

/// A part that a decoder has on a condition.
fn when<T, E>(condition: bool, part: impl FnOnce() -> Result<T, E>) -> Result<Option<T>, E> {
    if condition { part().map(Some) } else { Ok(None) }
}

/// Builds the parts of a decoder out of a source of parameters.
struct Assembly<'a, F> {
    config: &'a DecoderConfig,
    device: &'a Device,
    source: F,
}

impl<E, F: FnMut(Slot, &[usize]) -> Result<TensorData, E>> Assembly<'_, F> {
    fn tensor<const D: usize>(&mut self, slot: Slot) -> Result<Tensor<D>, E> {
        let shape = self.config.shape(slot);
        Ok(Tensor::from_data((self.source)(slot, &shape)?, self.device))
    }

    fn param<const D: usize>(&mut self, slot: Slot) -> Result<Param<Tensor<D>>, E> {
        Ok(Param::from_tensor(self.tensor(slot)?))
    }

    fn linear(&mut self, slot: impl Fn(Part) -> Slot, bias: bool) -> Result<Linear, E> {
        let shape = self.config.shape(slot(Part::Weight));
        let data = (self.source)(slot(Part::Weight), &shape)?;
        let (outputs, inputs) = (shape[0], shape[1]);
        // Burn multiplies by `[inputs, outputs]`. A transposed view would do, but products with it are slower.
        let data = match data.as_slice::<f32>() {
            Ok(values) => TensorData::new(transpose(values, outputs, inputs), [inputs, outputs]),
            Err(_) => unreachable!("sources answer in f32"),
        };
        let weight = Param::from_tensor(Tensor::from_data(data, self.device));
        let bias = if bias { Some(self.param(slot(Part::Bias))?) } else { None };
        Ok(Linear { weight, bias })
    }

    fn norm(&mut self, slot: impl Fn(Part) -> Slot) -> Result<Norm, E> {
        let weight = self.param(slot(Part::Weight))?;
        let bias = if self.config.norm.bias { Some(self.param(slot(Part::Bias))?) } else { None };
        Ok(Norm { weight, bias, config: self.config.norm })
    }

    fn block(&mut self, index: usize) -> Result<Block, E> {
        let at = |slot: BlockSlot| Slot::Block(index, slot);
        let config = self.config;
        let attention_norm = self.norm(|part| at(BlockSlot::AttentionNorm(part)))?;
        let qkv = self.linear(|part| at(BlockSlot::Qkv(part)), config.qkv_bias)?;
        let norm = match config.query_key_norm {
            Some(config) => Some(QueryKeyNorm {
                query: self.param(at(BlockSlot::QueryNorm))?,
                key: self.param(at(BlockSlot::KeyNorm))?,
                config,
            }),
            None => None,
        };
        let registers = when(config.registers > 0, || {
            Ok(Registers {
                keys: self.param(at(BlockSlot::RegisterKeys))?,
                values: self.param(at(BlockSlot::RegisterValues))?,
            })
        })?;
        let attention = Attention {
            qkv,
            output: self.linear(|part| at(BlockSlot::AttentionOutput(part)), config.attention_output_bias)?,
            norm,
            registers,
            n_heads: config.n_heads,
            n_kv_heads: config.n_kv_heads,
            head_dim: config.head_dim,
        };
        let mlp_norm = self.norm(|part| at(BlockSlot::MlpNorm(part)))?;
        let mlp = Mlp {
            input: self.linear(|part| at(BlockSlot::MlpInput(part)), config.mlp_bias)?,
            output: self.linear(|part| at(BlockSlot::MlpOutput(part)), config.mlp_bias)?,
            activation: config.activation,
            gated: config.gated,
        };
        Ok(Block { attention_norm, attention, mlp_norm, mlp, residual: config.residual })
    }
}

fn block_parameters(block: &Block) -> impl Iterator<Item = (BlockSlot, Parameter<'_>)> {
    let attention = &block.attention;
    let mut parameters: Vec<_> = norm(&block.attention_norm, BlockSlot::AttentionNorm).collect();
    parameters.extend(linear(&attention.qkv, BlockSlot::Qkv));
    if let Some(norm) = &attention.norm {
        parameters.push((BlockSlot::QueryNorm, Parameter::Rank2(&norm.query)));
        parameters.push((BlockSlot::KeyNorm, Parameter::Rank2(&norm.key)));
    }
    if let Some(registers) = &attention.registers {
        parameters.push((BlockSlot::RegisterKeys, Parameter::Rank3(&registers.keys)));
        parameters.push((BlockSlot::RegisterValues, Parameter::Rank3(&registers.values)));
    }
    parameters.extend(linear(&attention.output, BlockSlot::AttentionOutput));
    parameters.extend(norm(&block.mlp_norm, BlockSlot::MlpNorm));
    parameters.extend(linear(&block.mlp.input, BlockSlot::MlpInput));
    parameters.extend(linear(&block.mlp.output, BlockSlot::MlpOutput));
    parameters.into_iter()
}

fn linear<S>(linear: &Linear, slot: impl Fn(Part) -> S) -> impl Iterator<Item = (S, Parameter<'_>)> {
    let bias = linear.bias.as_ref().map(|bias| (slot(Part::Bias), Parameter::Rank1(bias)));
    [(slot(Part::Weight), Parameter::Matrix(&linear.weight))].into_iter().chain(bias)
}

fn norm<S>(norm: &Norm, slot: impl Fn(Part) -> S) -> impl Iterator<Item = (S, Parameter<'_>)> {
    let bias = norm.bias.as_ref().map(|bias| (slot(Part::Bias), Parameter::Rank1(bias)));
    [(slot(Part::Weight), Parameter::Rank1(&norm.weight))].into_iter().chain(bias)
}
