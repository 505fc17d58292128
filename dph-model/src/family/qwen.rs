//! Qwen2 (Qwen1.5, Qwen2.5) and Qwen3: Llama with biases, or with a norm of queries and keys.

use serde::Deserialize;

use super::llama::{self, LlamaConfig};
use super::{ConfigError, FileTensor, Translation};
use crate::decoder::{DecoderConfig, ParamKey, QueryKeyNormConfig};

/// Default size of a head in Qwen3.
const DEFAULT_HEAD_DIM: usize = 128;

/// The keys of a Qwen2's or Qwen3's `config.json` that are used. Absent keys have the defaults of Llama.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct QwenConfig {
    /// The keys that Llama has as well.
    #[serde(flatten)]
    pub llama: LlamaConfig,
    /// Whether some blocks have sliding-window attention.
    #[serde(default)]
    pub use_sliding_window: bool,
    /// Size of the window.
    #[serde(default = "default_window")]
    pub sliding_window: Option<usize>,
    /// The first block with a window.
    #[serde(default = "default_window_layers")]
    pub max_window_layers: usize,
    /// The kind of attention of each block, in newer versions of Hugging Face.
    pub layer_types: Option<Vec<String>>,
    /// Whether this is a Qwen3.
    #[serde(skip)]
    pub query_key_norm: bool,
}

impl QwenConfig {
    /// The keys beside those of a Llama.
    pub(super) const WINDOW_KEYS: [&str; 4] =
        ["use_sliding_window", "sliding_window", "max_window_layers", "layer_types"];

    /// The configuration of a Qwen3, from its keys. It differs by its defaults and by its norm of queries and keys.
    pub(super) fn qwen3(config: Self) -> Self {
        let head_dim = Some(config.llama.head_dim.unwrap_or(DEFAULT_HEAD_DIM));
        Self { query_key_norm: true, llama: LlamaConfig { head_dim, ..config.llama }, ..config }
    }

    /// Whether a block has a window that is shorter than the context.
    fn has_windows(&self) -> bool {
        let is_windowed = match &self.layer_types {
            Some(types) => types.iter().any(|kind| kind != "full_attention"),
            None => self.max_window_layers < self.llama.num_hidden_layers,
        };
        let is_short = self.sliding_window.is_some_and(|window| window < self.llama.max_position_embeddings);
        self.use_sliding_window && is_windowed && is_short
    }
}

impl Translation for QwenConfig {
    fn decoder(&self) -> Result<DecoderConfig, ConfigError> {
        if self.has_windows() {
            return Err(ConfigError::Unsupported {
                key: "use_sliding_window",
                value: "true".into(),
                hint: Some("every block has to see all tokens".into()),
            });
        }
        let epsilon = self.llama.rms_norm_eps;
        let llama = self.llama.decoder()?;
        Ok(match self.query_key_norm {
            true => DecoderConfig { query_key_norm: Some(QueryKeyNormConfig::Shared { epsilon }), ..llama },
            false => DecoderConfig { qkv_bias: true, attention_output_bias: false, ..llama },
        })
    }

    fn tensors(&self, key: ParamKey, config: &DecoderConfig) -> Vec<FileTensor> {
        llama::tensors(key, config)
    }

    fn prefix(&self) -> &'static str {
        llama::PREFIX
    }

    fn is_harmless(&self, name: &str) -> bool {
        llama::is_harmless(name)
    }
}

fn default_window() -> Option<usize> {
    Some(4096)
}

fn default_window_layers() -> usize {
    28
}
