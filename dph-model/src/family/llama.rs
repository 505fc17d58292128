//! Llama: SmolLM2, TinyLlama, LLaMA 1 to 3, in the format of Hugging Face.

use serde::Deserialize;

use super::settings::{RopeScaling, activation, rope_theta, rotary_scaling};
use super::{ConfigError, FileTensor, Translation};
use crate::decoder::{
    BlockParamKey, DecoderConfig, NormConfig, ParamKey, Part, Positions, Residual, RotaryConfig,
};

/// The keys of a Llama's `config.json` that are used. Absent keys have the defaults of Hugging Face.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LlamaConfig {
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Size of a hidden state.
    pub hidden_size: usize,
    /// Inner size of the feed-forward network.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Number of query heads.
    pub num_attention_heads: usize,
    /// Number of key and value heads; as many as query heads if absent.
    pub num_key_value_heads: Option<usize>,
    /// Size of a head; `hidden_size / num_attention_heads` if absent.
    pub head_dim: Option<usize>,
    /// Longest sequence.
    #[serde(default = "default_context")]
    pub max_position_embeddings: usize,
    /// Activation of the feed-forward network.
    #[serde(default = "default_activation")]
    pub hidden_act: String,
    /// Epsilon of the norms.
    #[serde(default = "default_epsilon")]
    pub rms_norm_eps: f64,
    /// Base of the rotary wavelengths.
    #[serde(default = "default_theta")]
    pub rope_theta: f64,
    /// Scaling of the rotary wavelengths.
    pub rope_scaling: Option<RopeScaling>,
    /// The two keys above in newer versions of Hugging Face.
    pub rope_parameters: Option<RopeScaling>,
    /// Whether the projections of the attention have a bias.
    #[serde(default)]
    pub attention_bias: bool,
    /// Whether the projections of the feed-forward network have a bias.
    #[serde(default)]
    pub mlp_bias: bool,
    /// Whether the output matrix is the embedding (tied).
    #[serde(default)]
    pub tie_word_embeddings: bool,
    /// Standard deviation of initial weights.
    #[serde(default = "default_initializer_range")]
    pub initializer_range: f32,
}

impl Translation for LlamaConfig {
    fn decoder(&self) -> Result<DecoderConfig, ConfigError> {
        let newer = self.rope_parameters.as_ref();
        let head_dim = self.head_dim.unwrap_or(self.hidden_size / self.num_attention_heads.max(1));
        Ok(DecoderConfig {
            vocab: self.vocab_size,
            context: self.max_position_embeddings,
            d_model: self.hidden_size,
            d_ffn: self.intermediate_size,
            n_layers: self.num_hidden_layers,
            n_heads: self.num_attention_heads,
            n_kv_heads: self.num_key_value_heads.unwrap_or(self.num_attention_heads),
            head_dim,
            causal: true,
            d_vocab: None,
            token_types: 0,
            positions: Positions::Rotary(RotaryConfig {
                dims: head_dim,
                theta: rope_theta(self.rope_scaling.as_ref(), newer).unwrap_or(self.rope_theta),
                scaling: rotary_scaling(self.rope_scaling.as_ref(), newer, self.max_position_embeddings)?,
                reversed: false,
            }),
            input_norm: false,
            output_norm: true,
            tied_head: self.tie_word_embeddings,
            pooler: None,
            norm: NormConfig::rms(self.rms_norm_eps),
            residual: Residual::PreNorm,
            activation: activation("hidden_act", &self.hidden_act)?,
            gated: true,
            qkv_bias: self.attention_bias,
            attention_output_bias: self.attention_bias,
            mlp_bias: self.mlp_bias,
            query_key_norm: None,
            registers: 0,
            init_std: self.initializer_range,
        })
    }

    fn tensors(&self, key: ParamKey, config: &DecoderConfig) -> Vec<FileTensor> {
        tensors(key, config)
    }

    fn prefix(&self) -> &'static str {
        PREFIX
    }

    fn is_harmless(&self, name: &str) -> bool {
        is_harmless(name)
    }
}

/// The prefix of most names.
pub(super) const PREFIX: &str = "model.";

/// Whether a tensor is a buffer that can be computed.
pub(super) fn is_harmless(name: &str) -> bool {
    name.ends_with("rotary_emb.inv_freq")
}

/// The tensors of a parameter. Loading and saving use this table.
pub(super) fn tensors(key: ParamKey, config: &DecoderConfig) -> Vec<FileTensor> {
    let shape = config.shape(key);
    let one = |name: String| vec![FileTensor::new(name, shape.clone())];
    // Parts of a joint matrix or bias, with the number of outputs of each.
    let joint = |parts: &[(String, usize)]| {
        parts
            .iter()
            .map(|(name, outputs)| {
                let mut shape = shape.clone();
                shape[0] = *outputs;
                FileTensor::new(name.clone(), shape)
            })
            .collect()
    };
    match key {
        ParamKey::Embedding => one("model.embed_tokens.weight".into()),
        ParamKey::OutputNorm(part) => one(format!("model.norm.{}", part.name())),
        ParamKey::Head => one("lm_head.weight".into()),
        ParamKey::Block(block, key) => {
            let name = |module: &str, part: Part| format!("model.layers.{block}.{module}.{}", part.name());
            let (queries, keys) = (config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim);
            match key {
                BlockParamKey::AttentionNorm(part) => one(name("input_layernorm", part)),
                BlockParamKey::Qkv(part) => joint(&[
                    (name("self_attn.q_proj", part), queries),
                    (name("self_attn.k_proj", part), keys),
                    (name("self_attn.v_proj", part), keys),
                ]),
                BlockParamKey::AttentionOutput(part) => one(name("self_attn.o_proj", part)),
                BlockParamKey::MlpNorm(part) => one(name("post_attention_layernorm", part)),
                BlockParamKey::MlpInput(part) => joint(&[
                    (name("mlp.up_proj", part), config.d_ffn),
                    (name("mlp.gate_proj", part), config.d_ffn),
                ]),
                BlockParamKey::MlpOutput(part) => one(name("mlp.down_proj", part)),
                // Qwen3 has these.
                BlockParamKey::QueryNorm => shared_norm(name("self_attn.q_norm", Part::Weight), config),
                BlockParamKey::KeyNorm => shared_norm(name("self_attn.k_norm", Part::Weight), config),
                BlockParamKey::RegisterKeys | BlockParamKey::RegisterValues => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

/// The weight that all heads share.
fn shared_norm(name: String, config: &DecoderConfig) -> Vec<FileTensor> {
    vec![FileTensor::new(name, vec![config.head_dim])]
}

fn default_context() -> usize {
    2048
}

fn default_activation() -> String {
    "silu".into()
}

fn default_epsilon() -> f64 {
    1e-6
}

fn default_theta() -> f64 {
    10_000.0
}

fn default_initializer_range() -> f32 {
    0.02
}
