//! [`Decoder`]: embedding, blocks, norm and head in a row.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Int, Tensor, TensorData, module};
use dph_core::Layer;

use super::transpose::transpose;
use super::{
    Attention, Block, BlockSlot, Cache, DecoderConfig, Head, Mlp, Norm, Parameter, Part, Pass, QueryKeyNorm,
    Registers, Slot,
};

/// A causal decoder: token ids to hidden states.
#[derive(Module, Debug)]
pub struct Decoder {
    /// Token embedding, `[vocab, embedding width]`.
    pub embedding: Param<Tensor<2>>,
    /// From a factored embedding to the hidden size.
    pub input: Option<FactoredInput>,
    /// The blocks, in order.
    pub blocks: Vec<Block>,
    /// Norm behind the last block.
    pub output_norm: Norm,
    /// From the normalised state to logits.
    pub head: Head,
}

/// The way from a factored embedding into the residual stream.
#[derive(Module, Debug)]
pub struct FactoredInput {
    /// `[d_vocab, d_model]`.
    pub projection: Linear,
    /// Norm behind the projection.
    pub norm: Norm,
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
        let input = match config.d_vocab {
            Some(_) => Some(FactoredInput {
                projection: parts.linear(|_| Slot::InputProjection, false)?,
                norm: parts.norm(Slot::InputNorm)?,
            }),
            None => None,
        };
        let blocks = (0..config.n_layers).map(|index| parts.block(index)).collect::<Result<_, E>>()?;
        let output_norm = parts.norm(Slot::OutputNorm)?;
        let head = Head {
            projection: match config.d_vocab {
                Some(_) => Some(parts.linear(|_| Slot::HeadProjection, false)?),
                None => None,
            },
            untied: if config.tied_head { None } else { Some(parts.param(Slot::Head)?) },
        };
        Ok(Self { embedding, input, blocks, output_norm, head })
    }

    /// All parameters, in the order of [`DecoderConfig::slots`].
    pub fn parameters(&self) -> Vec<(Slot, Parameter<'_>)> {
        let mut parameters = vec![(Slot::Embedding, Parameter::Rank2(&self.embedding))];
        if let Some(input) = &self.input {
            parameters.push((Slot::InputProjection, Parameter::Matrix(&input.projection.weight)));
            parameters.extend(norm(&input.norm, Slot::InputNorm));
        }
        for (index, block) in self.blocks.iter().enumerate() {
            let of_block = block_parameters(block);
            parameters.extend(of_block.map(|(slot, parameter)| (Slot::Block(index, slot), parameter)));
        }
        parameters.extend(norm(&self.output_norm, Slot::OutputNorm));
        if let Some(projection) = &self.head.projection {
            parameters.push((Slot::HeadProjection, Parameter::Matrix(&projection.weight)));
        }
        if let Some(head) = &self.head.untied {
            parameters.push((Slot::Head, Parameter::Rank2(head)));
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
        let mut stream = self.embed(ids);
        keep(Layer::At(0), &stream);
        for (index, block) in self.blocks[..needed].iter().enumerate() {
            stream = block.forward(stream, pass, cache.as_deref_mut().map(|cache| (cache, index)));
            keep(Layer::At(index + 1), &stream);
        }
        if layers.contains(&Layer::Last) {
            keep(Layer::Last, &self.output_norm.forward(stream));
        }
        found.into_iter().flatten().collect()
    }

    /// Logits for normalised last states, `[tokens, d_model]` to `[tokens, vocab]`.
    pub fn logits(&self, states: Tensor<2>) -> Tensor<2> {
        let states = self.head.project(states);
        states.matmul(self.head.matrix(&self.embedding).transpose())
    }

    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<2> {
        let [rows, seq] = ids.dims();
        let embedded = module::embedding(self.embedding.val(), ids);
        let width = embedded.dims()[2];
        let embedded = embedded.reshape([rows * seq, width]);
        match &self.input {
            Some(input) => input.norm.forward(input.projection.forward(embedded)),
            None => embedded,
        }
    }
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
            Some(epsilon) => Some(QueryKeyNorm {
                query: self.param(at(BlockSlot::QueryNorm))?,
                key: self.param(at(BlockSlot::KeyNorm))?,
                epsilon,
            }),
            None => None,
        };
        let registers = match config.registers {
            0 => None,
            _ => Some(Registers {
                keys: self.param(at(BlockSlot::RegisterKeys))?,
                values: self.param(at(BlockSlot::RegisterValues))?,
            }),
        };
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
        Ok(Block { attention_norm, attention, mlp_norm, mlp })
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
