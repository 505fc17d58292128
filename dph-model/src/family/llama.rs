//! Llama: SmolLM2, TinyLlama, LLaMA 1 to 3, as Hugging Face writes them.

use serde::Deserialize;
use serde_json::Value;

use super::{ConfigError, FileTensor};
use crate::decoder::{
    Activation, BlockSlot, DecoderConfig, NormConfig, NormKind, Part, RotaryConfig, RotaryScaling, Slot,
};

/// The keys of a Llama's `config.json` that matter here; absent ones have the defaults of Hugging Face.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LlamaConfig {
    /// Number of token ids.
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
    /// Constant of the norms.
    #[serde(default = "default_epsilon")]
    pub rms_norm_eps: f64,
    /// Base of the rotary wavelengths.
    #[serde(default = "default_theta")]
    pub rope_theta: f64,
    /// Change of the rotary wavelengths.
    pub rope_scaling: Option<RopeScaling>,
    /// The same two as newer versions of Hugging Face write them.
    pub rope_parameters: Option<RopeScaling>,
    /// Whether the projections of the attention have a bias.
    #[serde(default)]
    pub attention_bias: bool,
    /// Whether the projections of the feed-forward network have a bias.
    #[serde(default)]
    pub mlp_bias: bool,
    /// Whether the embedding is also the output matrix.
    #[serde(default)]
    pub tie_word_embeddings: bool,
    /// Standard deviation of new weights.
    #[serde(default = "default_initializer_range")]
    pub initializer_range: f32,
    /// Present in quantised checkpoints, which are not supported.
    pub quantization_config: Option<Value>,
}

/// Change of the rotary wavelengths, `rope_scaling` or `rope_parameters`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct RopeScaling {
    /// `default` or `llama3`; older files call the key `type`.
    #[serde(alias = "type", default = "default_rope_type")]
    pub rope_type: String,
    /// Base, only in `rope_parameters`.
    pub rope_theta: Option<f64>,
    /// See [`RotaryScaling::Llama3`].
    pub factor: Option<f64>,
    /// See [`RotaryScaling::Llama3`].
    pub low_freq_factor: Option<f64>,
    /// See [`RotaryScaling::Llama3`].
    pub high_freq_factor: Option<f64>,
    /// See [`RotaryScaling::Llama3`].
    pub original_max_position_embeddings: Option<usize>,
}

impl LlamaConfig {
    pub(super) fn decoder(&self) -> Result<DecoderConfig, ConfigError> {
        if let Some(quantisation) = &self.quantization_config {
            return Err(ConfigError::Unsupported {
                key: "quantization_config",
                value: quantisation.to_string(),
                hint: Some("use a checkpoint in f32, f16 or bf16".into()),
            });
        }
        let newer = self.rope_parameters.as_ref();
        Ok(DecoderConfig {
            vocab: self.vocab_size,
            context: self.max_position_embeddings,
            d_model: self.hidden_size,
            d_ffn: self.intermediate_size,
            n_layers: self.num_hidden_layers,
            n_heads: self.num_attention_heads,
            n_kv_heads: self.num_key_value_heads.unwrap_or(self.num_attention_heads),
            head_dim: self.head_dim.unwrap_or(self.hidden_size / self.num_attention_heads.max(1)),
            d_vocab: None,
            tied_head: self.tie_word_embeddings,
            norm: NormConfig { kind: NormKind::Rms, epsilon: self.rms_norm_eps, bias: false },
            activation: activation(&self.hidden_act)?,
            gated: true,
            qkv_bias: self.attention_bias,
            attention_output_bias: self.attention_bias,
            mlp_bias: self.mlp_bias,
            query_key_norm: None,
            registers: 0,
            rotary: RotaryConfig {
                theta: newer.and_then(|rope| rope.rope_theta).unwrap_or(self.rope_theta),
                scaling: match self.rope_scaling.as_ref().or(newer) {
                    Some(scaling) => scaling.rotary()?,
                    None => RotaryScaling::None,
                },
                reversed: false,
            },
            init_std: self.initializer_range,
        })
    }
}

impl RopeScaling {
    fn rotary(&self) -> Result<RotaryScaling, ConfigError> {
        match self.rope_type.as_str() {
            "default" => Ok(RotaryScaling::None),
            "llama3" => Ok(RotaryScaling::Llama3 {
                factor: required("rope_scaling.factor", self.factor)?,
                low_freq_factor: required("rope_scaling.low_freq_factor", self.low_freq_factor)?,
                high_freq_factor: required("rope_scaling.high_freq_factor", self.high_freq_factor)?,
                original_context: required(
                    "rope_scaling.original_max_position_embeddings",
                    self.original_max_position_embeddings,
                )?,
            }),
            other => Err(ConfigError::Unsupported {
                key: "rope_scaling.rope_type",
                value: format!("{other:?}"),
                hint: Some("supported are default, llama3".into()),
            }),
        }
    }
}

/// The tensors of a parameter; the only table of names, read when loading and when saving.
pub(super) fn tensors(slot: Slot, config: &DecoderConfig) -> Vec<FileTensor> {
    let shape = config.shape(slot);
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
    match slot {
        Slot::Embedding => one("model.embed_tokens.weight".into()),
        Slot::OutputNorm(part) => one(format!("model.norm.{}", part.name())),
        Slot::Head => one("lm_head.weight".into()),
        Slot::Block(block, slot) => {
            let name = |module: &str, part: Part| format!("model.layers.{block}.{module}.{}", part.name());
            let (queries, keys) = (config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim);
            match slot {
                BlockSlot::AttentionNorm(part) => one(name("input_layernorm", part)),
                BlockSlot::Qkv(part) => joint(&[
                    (name("self_attn.q_proj", part), queries),
                    (name("self_attn.k_proj", part), keys),
                    (name("self_attn.v_proj", part), keys),
                ]),
                BlockSlot::AttentionOutput(part) => one(name("self_attn.o_proj", part)),
                BlockSlot::MlpNorm(part) => one(name("post_attention_layernorm", part)),
                BlockSlot::MlpInput(part) => joint(&[
                    (name("mlp.up_proj", part), config.d_ffn),
                    (name("mlp.gate_proj", part), config.d_ffn),
                ]),
                BlockSlot::MlpOutput(part) => one(name("mlp.down_proj", part)),
                BlockSlot::QueryNorm
                | BlockSlot::KeyNorm
                | BlockSlot::RegisterKeys
                | BlockSlot::RegisterValues => Vec::new(),
            }
        }
        Slot::InputProjection | Slot::InputNorm(_) | Slot::HeadProjection => Vec::new(),
    }
}

fn activation(name: &str) -> Result<Activation, ConfigError> {
    match name {
        "silu" | "swish" => Ok(Activation::Silu),
        "gelu" => Ok(Activation::Gelu),
        other => Err(ConfigError::Unsupported {
            key: "hidden_act",
            value: format!("{other:?}"),
            hint: Some("supported are silu, gelu".into()),
        }),
    }
}

fn required<T>(key: &'static str, value: Option<T>) -> Result<T, ConfigError> {
    value.ok_or_else(|| ConfigError::Unsupported {
        key,
        value: "null".into(),
        hint: Some("the rope_type llama3 needs it".into()),
    })
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

fn default_rope_type() -> String {
    "default".into()
}
