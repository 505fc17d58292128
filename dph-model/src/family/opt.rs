//! OPT (arXiv 2205.01068): learned positions after two unused rows, ReLU. The 350M model has a factored embedding and
//! post-norm.

use serde::Deserialize;

use super::settings::{activation, head_dim, only};
use super::{ConfigError, FileTensor, Translation};
use crate::decoder::{BlockParamKey, DecoderConfig, NormConfig, ParamKey, Part, Positions, Residual};

/// Rows of the position table that are never used.
const OFFSET: usize = 2;

/// The keys of an OPT's `config.json` that are used. Absent keys have the defaults of Hugging Face.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct OptConfig {
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Size of a hidden state.
    pub hidden_size: usize,
    /// Size of a token embedding; `hidden_size` if absent.
    pub word_embed_proj_dim: Option<usize>,
    /// Inner size of the feed-forward network.
    pub ffn_dim: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Number of heads.
    pub num_attention_heads: usize,
    /// Longest sequence.
    pub max_position_embeddings: usize,
    /// Activation of the feed-forward network.
    pub activation_function: String,
    /// Whether the model has pre-norm and a final norm; post-norm otherwise.
    pub do_layer_norm_before: bool,
    /// Whether the final norm is missing.
    #[serde(rename = "_remove_final_layer_norm")]
    pub remove_final_layer_norm: bool,
    /// Whether norms have weights. Only `true` is supported.
    pub layer_norm_elementwise_affine: bool,
    /// Whether projections have a bias.
    pub enable_bias: bool,
    /// Whether the output matrix is the embedding (tied).
    pub tie_word_embeddings: bool,
    /// Standard deviation of initial weights.
    pub init_std: f32,
}

impl Default for OptConfig {
    fn default() -> Self {
        Self {
            vocab_size: 50272,
            hidden_size: 768,
            word_embed_proj_dim: None,
            ffn_dim: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            max_position_embeddings: 2048,
            activation_function: "relu".into(),
            do_layer_norm_before: true,
            remove_final_layer_norm: false,
            layer_norm_elementwise_affine: true,
            enable_bias: true,
            tie_word_embeddings: true,
            init_std: 0.02,
        }
    }
}

impl Translation for OptConfig {
    fn decoder(&self) -> Result<DecoderConfig, ConfigError> {
        only("layer_norm_elementwise_affine", self.layer_norm_elementwise_affine, true)?;
        Ok(DecoderConfig {
            vocab: self.vocab_size,
            context: self.max_position_embeddings,
            d_model: self.hidden_size,
            d_ffn: self.ffn_dim,
            n_layers: self.num_hidden_layers,
            n_heads: self.num_attention_heads,
            n_kv_heads: self.num_attention_heads,
            head_dim: head_dim(self.hidden_size, self.num_attention_heads)?,
            causal: true,
            d_vocab: self.word_embed_proj_dim.filter(|&size| size != self.hidden_size),
            token_types: 0,
            positions: Positions::Learned { offset: OFFSET },
            input_norm: false,
            output_norm: self.do_layer_norm_before && !self.remove_final_layer_norm,
            tied_head: self.tie_word_embeddings,
            pooler: None,
            norm: NormConfig::layer(1e-5),
            residual: if self.do_layer_norm_before { Residual::PreNorm } else { Residual::PostNorm },
            activation: activation("activation_function", &self.activation_function)?,
            gated: false,
            qkv_bias: self.enable_bias,
            attention_output_bias: self.enable_bias,
            mlp_bias: self.enable_bias,
            query_key_norm: None,
            registers: 0,
            init_std: self.init_std,
        })
    }

    fn tensors(&self, key: ParamKey, config: &DecoderConfig) -> Vec<FileTensor> {
        tensors(key, config)
    }

    fn prefix(&self) -> &'static str {
        "model."
    }
}

/// The tensors of a parameter. Loading and saving use this table.
fn tensors(key: ParamKey, config: &DecoderConfig) -> Vec<FileTensor> {
    let shape = config.shape(key);
    let one = |name: String| vec![FileTensor::new(name, shape.clone())];
    match key {
        ParamKey::Embedding => one("model.decoder.embed_tokens.weight".into()),
        ParamKey::InputProjection => one("model.decoder.project_in.weight".into()),
        ParamKey::Positions => one("model.decoder.embed_positions.weight".into()),
        ParamKey::OutputNorm(part) => one(format!("model.decoder.final_layer_norm.{}", part.name())),
        ParamKey::HeadProjection => one("model.decoder.project_out.weight".into()),
        ParamKey::Head => one("lm_head.weight".into()),
        ParamKey::Block(block, key) => {
            let name =
                |module: &str, part: Part| format!("model.decoder.layers.{block}.{module}.{}", part.name());
            match key {
                BlockParamKey::AttentionNorm(part) => one(name("self_attn_layer_norm", part)),
                BlockParamKey::Qkv(part) => {
                    let modules = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"];
                    FileTensor::equal_parts(modules.map(|module| name(module, part)), &shape)
                }
                BlockParamKey::AttentionOutput(part) => one(name("self_attn.out_proj", part)),
                BlockParamKey::MlpNorm(part) => one(name("final_layer_norm", part)),
                BlockParamKey::MlpInput(part) => one(name("fc1", part)),
                BlockParamKey::MlpOutput(part) => one(name("fc2", part)),
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}
