//! Building a decoder out of a source of parameters.

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{DType, Device, Tensor, TensorData};

use super::transpose::transpose;
use crate::decoder::{
    Attention, Block, BlockParamKey, Decoder, DecoderConfig, Head, Input, Mlp, Norm, ParamKey, Part, Pooler,
    PoolerConfig, Positions, QueryKeyNorm, Registers, kernels,
};

impl Decoder {
    /// A decoder whose parameters come from `source`, which is asked once for each of
    /// [`DecoderConfig::param_keys`] and has to answer with f32 data of the shape it is given. Embeddings and the matrices of
    /// products are kept as `matrices`, a float type; whatever is small is f32.
    ///
    /// # Errors
    ///
    /// The first error of `source`.
    pub fn assemble<E>(
        config: &DecoderConfig,
        device: &Device,
        matrices: DType,
        source: impl FnMut(ParamKey, &[usize]) -> Result<TensorData, E>,
    ) -> Result<Self, E> {
        let mut parts = Assembly { config, device, matrices, source };
        let embedding = parts.matrix(ParamKey::Embedding)?;
        let factored = config.d_vocab.is_some();
        let input = Input {
            projection: when(factored, || parts.linear(|_| ParamKey::InputProjection, false))?,
            positions: when(config.limit().is_some(), || parts.param(ParamKey::Positions))?,
            token_types: when(config.token_types > 0, || parts.param(ParamKey::TokenTypes))?,
            norm: when(config.input_norm, || parts.norm(ParamKey::InputNorm))?,
            offset: match config.positions {
                Positions::Learned { offset } => offset,
                Positions::Rotary(_) => 0,
            },
        };
        let blocks = (0..config.n_layers).map(|index| parts.block(index)).collect::<Result<_, E>>()?;
        let output_norm = when(config.output_norm, || parts.norm(ParamKey::OutputNorm))?;
        let head = Head {
            projection: when(factored, || parts.linear(|_| ParamKey::HeadProjection, false))?,
            untied: when(!config.tied_head, || parts.matrix(ParamKey::Head))?,
        };
        let pooler = match config.pooler {
            Some(PoolerConfig { labels }) => Some(Pooler {
                dense: parts.linear(ParamKey::Pooler, true)?,
                classifier: when(labels > 0, || parts.linear(ParamKey::Classifier, true))?,
            }),
            None => None,
        };
        Ok(Self { embedding, input, blocks, output_norm, head, pooler })
    }
}

/// Builds the parts of a decoder out of a source of parameters.
struct Assembly<'a, F> {
    config: &'a DecoderConfig,
    device: &'a Device,
    matrices: DType,
    source: F,
}

impl<E, F: FnMut(ParamKey, &[usize]) -> Result<TensorData, E>> Assembly<'_, F> {
    fn param<const D: usize>(&mut self, key: ParamKey) -> Result<Param<Tensor<D>>, E> {
        let shape = self.config.shape(key);
        Ok(Param::from_tensor(Tensor::from_data((self.source)(key, &shape)?, self.device)))
    }

    fn matrix(&mut self, key: ParamKey) -> Result<Param<Tensor<2>>, E> {
        let shape = self.config.shape(key);
        let data = (self.source)(key, &shape)?;
        Ok(Param::from_tensor(Tensor::from_data(data, (self.device, self.matrices))))
    }

    fn linear(&mut self, key: impl Fn(Part) -> ParamKey, bias: bool) -> Result<Linear, E> {
        let shape = self.config.shape(key(Part::Weight));
        let data = (self.source)(key(Part::Weight), &shape)?;
        let (outputs, inputs) = (shape[0], shape[1]);
        let on_device = |data| Tensor::<2>::from_data(data, (self.device, self.matrices));
        // Burn multiplies by `[inputs, outputs]`. A transposed view does it too, but slower on most devices.
        let weight = match data.as_slice::<f32>() {
            Ok(_) if kernels::wants_transposed(self.device) => on_device(data).transpose(),
            Ok(values) => on_device(TensorData::new(transpose(values, outputs, inputs), [inputs, outputs])),
            Err(_) => unreachable!("sources answer in f32"),
        };
        let weight = Param::from_tensor(weight);
        let bias = if bias { Some(self.param(key(Part::Bias))?) } else { None };
        Ok(Linear { weight, bias })
    }

    fn norm(&mut self, key: impl Fn(Part) -> ParamKey) -> Result<Norm, E> {
        let weight = self.param(key(Part::Weight))?;
        let bias = if self.config.norm.bias { Some(self.param(key(Part::Bias))?) } else { None };
        Ok(Norm { weight, bias, config: self.config.norm })
    }

    fn block(&mut self, index: usize) -> Result<Block, E> {
        let at = |key: BlockParamKey| ParamKey::Block(index, key);
        let config = self.config;
        let attention_norm = self.norm(|part| at(BlockParamKey::AttentionNorm(part)))?;
        let qkv = self.linear(|part| at(BlockParamKey::Qkv(part)), config.qkv_bias)?;
        let norm = match config.query_key_norm {
            Some(config) => Some(QueryKeyNorm {
                query: self.param(at(BlockParamKey::QueryNorm))?,
                key: self.param(at(BlockParamKey::KeyNorm))?,
                config,
            }),
            None => None,
        };
        let registers = when(config.registers > 0, || {
            Ok(Registers {
                keys: self.param(at(BlockParamKey::RegisterKeys))?,
                values: self.param(at(BlockParamKey::RegisterValues))?,
            })
        })?;
        let attention = Attention {
            qkv,
            output: self
                .linear(|part| at(BlockParamKey::AttentionOutput(part)), config.attention_output_bias)?,
            norm,
            registers,
            n_heads: config.n_heads,
            n_kv_heads: config.n_kv_heads,
            head_dim: config.head_dim,
        };
        let mlp_norm = self.norm(|part| at(BlockParamKey::MlpNorm(part)))?;
        let mlp = Mlp {
            input: self.linear(|part| at(BlockParamKey::MlpInput(part)), config.mlp_bias)?,
            output: self.linear(|part| at(BlockParamKey::MlpOutput(part)), config.mlp_bias)?,
            activation: config.activation,
            gated: config.gated,
        };
        Ok(Block { attention_norm, attention, mlp_norm, mlp, residual: config.residual })
    }
}

/// A part that a decoder has on a condition.
fn when<T, E>(condition: bool, part: impl FnOnce() -> Result<T, E>) -> Result<Option<T>, E> {
    if condition { part().map(Some) } else { Ok(None) }
}
