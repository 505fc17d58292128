//! GPT-NeoX: Pythia and related models (arXiv 2204.06745).

use serde::Deserialize;

use super::settings::{RopeScaling, activation, head_dim, rope_theta, rotary_scaling};
use super::{ConfigError, FileTensor, Order, Translation};
use crate::decoder::{
    BlockParamKey, DecoderConfig, NormConfig, ParamKey, Part, Positions, Residual, RotaryConfig,
};

/// The keys of a GPT-NeoX's `config.json` that are used. Absent keys have the defaults of Hugging Face.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct GptNeoxConfig {
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Size of a hidden state.
    pub hidden_size: usize,
    /// Inner size of the feed-forward network.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Number of heads.
    pub num_attention_heads: usize,
    /// Longest sequence.
    pub max_position_embeddings: usize,
    /// Activation of the feed-forward network.
    pub hidden_act: String,
    /// Epsilon of the norms.
    pub layer_norm_eps: f64,
    /// Fraction of a head that is rotated.
    pub rotary_pct: f64,
    /// The newer name of the same key.
    pub partial_rotary_factor: Option<f64>,
    /// Base of the rotary wavelengths.
    pub rotary_emb_base: f64,
    /// The newer name of the same key.
    pub rope_theta: Option<f64>,
    /// Scaling of the rotary wavelengths.
    pub rope_scaling: Option<RopeScaling>,
    /// The three keys above in the newest versions of Hugging Face.
    pub rope_parameters: Option<RopeScaling>,
    /// Whether attention and feed-forward network read the same state.
    pub use_parallel_residual: bool,
    /// Whether the projections of the attention have a bias.
    pub attention_bias: bool,
    /// Whether the output matrix is the embedding (tied).
    pub tie_word_embeddings: bool,
    /// Standard deviation of initial weights.
    pub initializer_range: f32,
}

impl Default for GptNeoxConfig {
    fn default() -> Self {
        Self {
            vocab_size: 50432,
            hidden_size: 6144,
            intermediate_size: 24576,
            num_hidden_layers: 44,
            num_attention_heads: 64,
            max_position_embeddings: 2048,
            hidden_act: "gelu".into(),
            layer_norm_eps: 1e-5,
            rotary_pct: 0.25,
            partial_rotary_factor: None,
            rotary_emb_base: 10_000.0,
            rope_theta: None,
            rope_scaling: None,
            rope_parameters: None,
            use_parallel_residual: true,
            attention_bias: true,
            tie_word_embeddings: false,
            initializer_range: 0.02,
        }
    }
}

impl GptNeoxConfig {
    fn rotary(&self, head_dim: usize) -> Result<RotaryConfig, ConfigError> {
        let newest = self.rope_parameters.as_ref();
        let share = newest
            .and_then(|rope| rope.partial_rotary_factor)
            .or(self.partial_rotary_factor)
            .unwrap_or(self.rotary_pct);
        let theta = rope_theta(self.rope_scaling.as_ref(), newest);
        let theta = theta.or(self.rope_theta).unwrap_or(self.rotary_emb_base);
        Ok(RotaryConfig {
            dims: (head_dim as f64 * share) as usize,
            theta,
            scaling: rotary_scaling(self.rope_scaling.as_ref(), newest, self.max_position_embeddings)?,
            reversed: false,
        })
    }
}

impl Translation for GptNeoxConfig {
    fn decoder(&self) -> Result<DecoderConfig, ConfigError> {
        let head_dim = head_dim(self.hidden_size, self.num_attention_heads)?;
        Ok(DecoderConfig {
            vocab: self.vocab_size,
            context: self.max_position_embeddings,
            d_model: self.hidden_size,
            d_ffn: self.intermediate_size,
            n_layers: self.num_hidden_layers,
            n_heads: self.num_attention_heads,
            n_kv_heads: self.num_attention_heads,
            head_dim,
            causal: true,
            d_vocab: None,
            token_types: 0,
            positions: Positions::Rotary(self.rotary(head_dim)?),
            input_norm: false,
            output_norm: true,
            tied_head: self.tie_word_embeddings,
            pooler: None,
            norm: NormConfig::layer(self.layer_norm_eps),
            residual: match self.use_parallel_residual {
                true => Residual::Parallel,
                false => Residual::PreNorm,
            },
            activation: activation("hidden_act", &self.hidden_act)?,
            gated: false,
            qkv_bias: self.attention_bias,
            attention_output_bias: self.attention_bias,
            mlp_bias: true,
            query_key_norm: None,
            registers: 0,
            init_std: self.initializer_range,
        })
    }

    fn tensors(&self, key: ParamKey, config: &DecoderConfig) -> Vec<FileTensor> {
        tensors(key, config)
    }

    fn prefix(&self) -> &'static str {
        "gpt_neox."
    }

    fn is_harmless(&self, name: &str) -> bool {
        // The causal mask, its bias, and the rotary wavelengths.
        [".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq"]
            .iter()
            .any(|buffer| name.ends_with(buffer))
    }

    fn tied_head_name(&self) -> Option<&'static str> {
        Some("embed_out.weight")
    }
}

/// The tensors of a parameter. Loading and saving use this table.
fn tensors(key: ParamKey, config: &DecoderConfig) -> Vec<FileTensor> {
    let one = |name: String| vec![FileTensor::new(name, config.shape(key))];
    match key {
        ParamKey::Embedding => one("gpt_neox.embed_in.weight".into()),
        ParamKey::OutputNorm(part) => one(format!("gpt_neox.final_layer_norm.{}", part.name())),
        ParamKey::Head => one("embed_out.weight".into()),
        ParamKey::Block(block, key) => {
            let name = |module: &str, part: Part| format!("gpt_neox.layers.{block}.{module}.{}", part.name());
            match key {
                BlockParamKey::AttentionNorm(part) => one(name("input_layernorm", part)),
                BlockParamKey::Qkv(part) => one(name("attention.query_key_value", part))
                    .into_iter()
                    .map(|tensor| FileTensor { order: Order::ByHead { heads: config.n_heads }, ..tensor })
                    .collect(),
                BlockParamKey::AttentionOutput(part) => one(name("attention.dense", part)),
                BlockParamKey::MlpNorm(part) => one(name("post_attention_layernorm", part)),
                BlockParamKey::MlpInput(part) => one(name("mlp.dense_h_to_4h", part)),
                BlockParamKey::MlpOutput(part) => one(name("mlp.dense_4h_to_h", part)),
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}
