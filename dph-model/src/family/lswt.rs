//! LSWT: the model of the paper (Hadji-Kyriacou and Arandjelovic, arXiv 2405.20053), under its authors' names.
//!
//! Factored tied embeddings, followed by a layer norm; rotary positions that count down to the end of the sequence; a
//! feed-forward network with values first and gates second (or a plain GELU one); optional registers, query/key norm
//! and dynamic rotary scaling. `enable_bias` applies only to the attention.

use serde::Deserialize;

use super::{ConfigError, FileTensor, Translation};
use crate::decoder::{
    Activation, BlockParamKey, DecoderConfig, DynamicScaling, NormConfig, ParamKey, Part, Positions,
    QueryKeyNormConfig, Residual, RotaryConfig, RotaryScaling,
};

/// Default context in tokens: the authors' training length.
const DEFAULT_CONTEXT: usize = 2048;

/// The keys of an LSWT's `config.json` that are used. Absent keys have the authors' defaults.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct LswtConfig {
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Size of a token embedding.
    pub d_vocab: usize,
    /// Size of a hidden state.
    pub d_model: usize,
    /// Inner size of the feed-forward network, after gating.
    pub d_ffn: usize,
    /// Number of heads.
    pub n_heads: usize,
    /// Number of blocks.
    pub n_layers: usize,
    /// Number of registers.
    pub n_registers: usize,
    /// Whether the feed-forward network is gated by a SiLU; a GELU network otherwise.
    pub gated_ffn: bool,
    /// Gated attention, which the authors never implemented.
    pub gated_att: bool,
    /// Whether queries and keys are normalised.
    pub qk_norm: bool,
    /// Whether the projections of the attention have a bias.
    pub enable_bias: bool,
    /// Standard deviation of initial weights.
    pub init_std: f32,
    /// Base of the rotary wavelengths.
    pub rope_base_freq: f64,
    /// Whether positions count down.
    pub rope_reversed: bool,
    /// Trained length in tokens.
    pub rope_positions: Option<usize>,
    /// Whether the rotary scaling grows with the length.
    pub rope_dynamic: bool,
    /// NTK scale.
    pub rope_ntk_scale: f64,
    /// Slope of the attention temperature.
    pub rope_yarn_a: f64,
    /// Attention temperature without scaling.
    pub rope_yarn_b: f64,
    /// Names of the reward heads, if the checkpoint holds a preference head.
    pub reward_heads: Option<Vec<String>>,
    /// Pooling function of the preference head.
    pub reward_pooler: Option<String>,
    /// Dropout of the pooling function, in training only.
    pub reward_dropout: f64,
}

impl Default for LswtConfig {
    fn default() -> Self {
        Self {
            vocab_size: 50272,
            d_vocab: 768,
            d_model: 768,
            d_ffn: 3072,
            n_heads: 12,
            n_layers: 12,
            n_registers: 0,
            gated_ffn: true,
            gated_att: false,
            qk_norm: false,
            enable_bias: true,
            init_std: 0.02,
            rope_base_freq: 500_000.0,
            rope_reversed: true,
            rope_positions: None,
            rope_dynamic: false,
            rope_ntk_scale: 1.0,
            rope_yarn_a: 0.07,
            rope_yarn_b: 1.0,
            reward_heads: None,
            reward_pooler: None,
            reward_dropout: 0.0,
        }
    }
}

impl Translation for LswtConfig {
    fn decoder(&self) -> Result<DecoderConfig, ConfigError> {
        if self.gated_att {
            return Err(ConfigError::Unsupported { key: "gated_att", value: "true".into(), hint: None });
        }
        if !self.d_model.is_multiple_of(self.n_heads.max(1)) {
            let problem = format!("d_model {} cannot be divided among {} heads", self.d_model, self.n_heads);
            return Err(ConfigError::Sizes { problem });
        }
        let dynamic = match (self.rope_dynamic, self.rope_positions) {
            (false, _) => None,
            (true, Some(positions)) if positions > 0 => {
                Some(DynamicScaling { positions, yarn_a: self.rope_yarn_a, yarn_b: self.rope_yarn_b })
            }
            (true, _) => {
                return Err(ConfigError::Unsupported {
                    key: "rope_positions",
                    value: "null".into(),
                    hint: Some("rope_dynamic needs the trained length".into()),
                });
            }
        };
        let head_dim = self.d_model / self.n_heads.max(1);
        Ok(DecoderConfig {
            vocab: self.vocab_size,
            context: self.rope_positions.unwrap_or(DEFAULT_CONTEXT),
            d_model: self.d_model,
            d_ffn: self.d_ffn,
            n_layers: self.n_layers,
            n_heads: self.n_heads,
            n_kv_heads: self.n_heads,
            head_dim,
            causal: true,
            d_vocab: Some(self.d_vocab),
            token_types: 0,
            positions: Positions::Rotary(RotaryConfig {
                dims: head_dim,
                theta: self.rope_base_freq,
                scaling: RotaryScaling::Ntk { scale: self.rope_ntk_scale, dynamic },
                reversed: self.rope_reversed,
            }),
            input_norm: true,
            output_norm: true,
            tied_head: true,
            pooler: None,
            norm: NormConfig::layer(1e-5),
            residual: Residual::PreNorm,
            activation: if self.gated_ffn { Activation::Silu } else { Activation::Gelu },
            gated: self.gated_ffn,
            qkv_bias: self.enable_bias,
            attention_output_bias: self.enable_bias,
            mlp_bias: true,
            query_key_norm: self.qk_norm.then_some(QueryKeyNormConfig::PerHead { epsilon: 1e-5 }),
            registers: self.n_registers,
            init_std: self.init_std,
        })
    }

    fn tensors(&self, key: ParamKey, config: &DecoderConfig) -> Vec<FileTensor> {
        tensors(key, config)
    }

    fn is_harmless(&self, name: &str) -> bool {
        name.starts_with(REWARDS) || name.starts_with(POOLER)
    }

    fn tied_head_name(&self) -> Option<&'static str> {
        None
    }
}

/// Prefix of the names of reward heads.
pub(crate) const REWARDS: &str = "reward_heads.";
/// Prefix of the names of the pooling.
pub(crate) const POOLER: &str = "pooler_pipeline.";

/// The tensors of a parameter. Loading and saving use this table.
fn tensors(key: ParamKey, config: &DecoderConfig) -> Vec<FileTensor> {
    let shape = config.shape(key);
    let one = |name: String| vec![FileTensor::new(name, shape.clone())];
    match key {
        ParamKey::Embedding => one("model.input_embedding.embedding.weight".into()),
        ParamKey::InputProjection => one("model.input_proj.weight".into()),
        ParamKey::InputNorm(part) => one(format!("model.input_norm.{}", part.name())),
        ParamKey::OutputNorm(part) => one(format!("model.output_norm.{}", part.name())),
        ParamKey::HeadProjection => one("head_proj.weight".into()),
        ParamKey::Block(block, key) => {
            let name = |rest: &str| format!("model.blocks.{block}.{rest}");
            let part = |module: &str, part: Part| name(&format!("{module}.{}", part.name()));
            // The authors' registers have a leading batch axis.
            let registers = |rest: &str| vec![FileTensor::new(name(rest), [&[1], shape.as_slice()].concat())];
            match key {
                BlockParamKey::AttentionNorm(p) => one(part("att_norm", p)),
                BlockParamKey::Qkv(p) => {
                    let modules = ["att.proj_q", "att.proj_k", "att.proj_v"];
                    FileTensor::equal_parts(modules.map(|module| part(module, p)), &shape)
                }
                BlockParamKey::QueryNorm => one(name("att.q_norm.weight")),
                BlockParamKey::KeyNorm => one(name("att.k_norm.weight")),
                BlockParamKey::RegisterKeys => registers("att.registers_k"),
                BlockParamKey::RegisterValues => registers("att.registers_v"),
                BlockParamKey::AttentionOutput(p) => one(part("att.proj_o", p)),
                BlockParamKey::MlpNorm(p) => one(part("ffn_norm", p)),
                BlockParamKey::MlpInput(p) => one(part("ffn.fc1", p)),
                BlockParamKey::MlpOutput(p) => one(part("ffn.fc2", p)),
            }
        }
        _ => Vec::new(),
    }
}
