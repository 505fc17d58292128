//! GPT-1: like GPT-2, but with post-norm and without a final norm.

use serde::Deserialize;

use super::gpt2;
use super::settings::{head_dim, unsupported};
use super::{ConfigError, FileTensor, Translation};
use crate::decoder::{Activation, DecoderConfig, NormConfig, ParamKey, Positions, Residual};

/// The keys of a GPT-1's `config.json` that are used. Absent keys have the defaults of Hugging Face.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct OpenAiGptConfig {
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
    /// Activation of the feed-forward network.
    pub afn: String,
    /// Epsilon of the norms.
    pub layer_norm_epsilon: f64,
    /// Whether the output matrix is the embedding (tied).
    pub tie_word_embeddings: bool,
    /// Standard deviation of initial weights.
    pub initializer_range: f32,
}

impl Default for OpenAiGptConfig {
    fn default() -> Self {
        Self {
            vocab_size: 40478,
            n_positions: 512,
            n_embd: 768,
            n_layer: 12,
            n_head: 12,
            afn: "gelu".into(),
            layer_norm_epsilon: 1e-5,
            tie_word_embeddings: true,
            initializer_range: 0.02,
        }
    }
}

impl Translation for OpenAiGptConfig {
    fn decoder(&self) -> Result<DecoderConfig, ConfigError> {
        Ok(DecoderConfig {
            vocab: self.vocab_size,
            context: self.n_positions,
            d_model: self.n_embd,
            d_ffn: 4 * self.n_embd,
            n_layers: self.n_layer,
            n_heads: self.n_head,
            n_kv_heads: self.n_head,
            head_dim: head_dim(self.n_embd, self.n_head)?,
            causal: true,
            d_vocab: None,
            token_types: 0,
            positions: Positions::Learned { offset: 0 },
            input_norm: false,
            output_norm: false,
            tied_head: self.tie_word_embeddings,
            pooler: None,
            norm: NormConfig::layer(self.layer_norm_epsilon),
            residual: Residual::PostNorm,
            // This family's "gelu" is what others call `gelu_new`.
            activation: match self.afn.as_str() {
                "gelu" => Activation::GeluTanh,
                "relu" => Activation::Relu,
                "silu" | "swish" => Activation::Silu,
                other => return Err(unsupported("afn", other, "supported are gelu, relu, silu, swish")),
            },
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
        let one = |name: &str| vec![FileTensor::new(name.into(), config.shape(key))];
        match key {
            ParamKey::Embedding => one("transformer.tokens_embed.weight"),
            ParamKey::Positions => one("transformer.positions_embed.weight"),
            ParamKey::Head => one("lm_head.weight"),
            ParamKey::Block(block, of_block) => gpt2::block_tensor(block, of_block, &config.shape(key)),
            _ => Vec::new(),
        }
    }

    fn prefix(&self) -> &'static str {
        gpt2::PREFIX
    }

    fn is_harmless(&self, name: &str) -> bool {
        gpt2::is_harmless(name) || name.ends_with("position_ids")
    }
}
