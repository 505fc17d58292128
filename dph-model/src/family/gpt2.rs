//! GPT-2: learned positions, pre-norm, GELU, transposed matrices.

use serde::Deserialize;

use super::settings::{activation, head_dim, only};
use super::{ConfigError, FileTensor, Translation};
use crate::decoder::{BlockParamKey, DecoderConfig, NormConfig, ParamKey, Part, Positions, Residual};

/// The keys of a GPT-2's `config.json` that are used. Absent keys have the defaults of Hugging Face.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Gpt2Config {
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Longest sequence.
    pub n_positions: usize,
    /// Size of a hidden state.
    pub n_embd: usize,
    /// Number of blocks.
    pub n_layer: usize,
    /// Number of heads.
    pub n_head: usize,
    /// Inner size of the feed-forward network; `4 · n_embd` if absent.
    pub n_inner: Option<usize>,
    /// Activation of the feed-forward network.
    pub activation_function: String,
    /// Epsilon of the norms.
    pub layer_norm_epsilon: f64,
    /// Whether attention scores are divided by the root of the head size. Only `true` is supported.
    pub scale_attn_weights: bool,
    /// Whether they are also divided by the index of the block. Only `false` is supported.
    pub scale_attn_by_inverse_layer_idx: bool,
    /// Whether the output matrix is the embedding (tied).
    pub tie_word_embeddings: bool,
    /// Standard deviation of initial weights.
    pub initializer_range: f32,
}

impl Default for Gpt2Config {
    fn default() -> Self {
        Self {
            vocab_size: 50257,
            n_positions: 1024,
            n_embd: 768,
            n_layer: 12,
            n_head: 12,
            n_inner: None,
            activation_function: "gelu_new".into(),
            layer_norm_epsilon: 1e-5,
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            tie_word_embeddings: true,
            initializer_range: 0.02,
        }
    }
}

impl Translation for Gpt2Config {
    fn decoder(&self) -> Result<DecoderConfig, ConfigError> {
        only("scale_attn_weights", self.scale_attn_weights, true)?;
        only("scale_attn_by_inverse_layer_idx", self.scale_attn_by_inverse_layer_idx, false)?;
        Ok(DecoderConfig {
            vocab: self.vocab_size,
            context: self.n_positions,
            d_model: self.n_embd,
            d_ffn: self.n_inner.unwrap_or(4 * self.n_embd),
            n_layers: self.n_layer,
            n_heads: self.n_head,
            n_kv_heads: self.n_head,
            head_dim: head_dim(self.n_embd, self.n_head)?,
            causal: true,
            d_vocab: None,
            token_types: 0,
            positions: Positions::Learned { offset: 0 },
            input_norm: false,
            output_norm: true,
            tied_head: self.tie_word_embeddings,
            pooler: None,
            norm: NormConfig::layer(self.layer_norm_epsilon),
            residual: Residual::PreNorm,
            activation: activation("activation_function", &self.activation_function)?,
            gated: false,
            qkv_bias: true,
            attention_output_bias: true,
            mlp_bias: true,
            query_key_norm: None,
            registers: 0,
            init_std: self.initializer_range,
        })
    }

    fn tensors(&self, key: ParamKey, config: &DecoderConfig) -> Vec<FileTensor> {
        let one = |name: String| vec![FileTensor::new(name, config.shape(key))];
        match key {
            ParamKey::Embedding => one("transformer.wte.weight".into()),
            ParamKey::Positions => one("transformer.wpe.weight".into()),
            ParamKey::OutputNorm(part) => one(format!("transformer.ln_f.{}", part.name())),
            ParamKey::Head => one("lm_head.weight".into()),
            ParamKey::Block(block, of_block) => block_tensor(block, of_block, &config.shape(key)),
            _ => Vec::new(),
        }
    }

    fn prefix(&self) -> &'static str {
        PREFIX
    }

    fn is_harmless(&self, name: &str) -> bool {
        is_harmless(name)
    }
}

/// The prefix of most names.
pub(super) const PREFIX: &str = "transformer.";

/// Whether a tensor is the causal mask or its bias.
pub(super) fn is_harmless(name: &str) -> bool {
    name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias")
}

/// The tensor of a block's parameter with our shape `ours`. GPT-1 has the same tensors.
pub(super) fn block_tensor(block: usize, key: BlockParamKey, ours: &[usize]) -> Vec<FileTensor> {
    let name = |module: &str, part: Part| format!("transformer.h.{block}.{module}.{}", part.name());
    let norm = |module: &str, part: Part| vec![FileTensor::new(name(module, part), ours.to_vec())];
    let linear = |module: &str, part: Part| match part {
        Part::Weight => vec![FileTensor::transposed(name(module, part), ours)],
        Part::Bias => vec![FileTensor::new(name(module, part), ours.to_vec())],
    };
    match key {
        BlockParamKey::AttentionNorm(part) => norm("ln_1", part),
        BlockParamKey::Qkv(part) => linear("attn.c_attn", part),
        BlockParamKey::AttentionOutput(part) => linear("attn.c_proj", part),
        BlockParamKey::MlpNorm(part) => norm("ln_2", part),
        BlockParamKey::MlpInput(part) => linear("mlp.c_fc", part),
        BlockParamKey::MlpOutput(part) => linear("mlp.c_proj", part),
        _ => Vec::new(),
    }
}
