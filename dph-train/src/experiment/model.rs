//! `[model]`: the language model.

use std::path::PathBuf;

use dph_data::ChatFormat;
use dph_eval::OpenOptions;
use dph_model::LoraConfig;
use dph_model::checkpoint::Precision;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the language model comes from, and what of it learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// A Hugging Face style directory, a `.gguf` file, or a repository of the hub, `"hf:owner/name"`. Either this or `new`;
    /// with both, this is used, and `new` describes it to `--dry-run` where it is not there yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// A new model with random weights: the contents of a `config.json`. Its `vocab_size` comes from the tokenizer
    /// where it is left out. Needs `tokenizer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub new: Option<toml::Table>,
    /// The tokenizer of a new model: a directory, `"world"` for one that is built for the synthetic world, or
    /// `{ task = "wikitext", vocab = 4096 }` for one that is trained on the texts of a text task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerSource>,
    /// How conversations look: `"template"`, the tokenizer's own chat template, or `"chatml"`, the paper's layout. By
    /// default the template where there is one. The exports of the stages keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<ChatFormat>,
    /// In which type the matrices of a frozen model are kept, and products with them computed: `"f32"`, or `"bf16"` or
    /// `"f16"` where the device multiplies in it. Everything else is f32, the head and adapters as well.
    #[serde(default)]
    pub precision: Precision,
    /// What of the model learns in a stage that does not say so itself.
    #[serde(default)]
    pub trainable: Trainable,
    /// The adapters of `trainable = "lora"`: `{ rank = 8, alpha = 16.0, targets = ["q_proj", "k_proj", "v_proj"] }`.
    #[serde(default)]
    pub lora: LoraConfig,
}

impl Model {
    /// How its exports are opened for the evaluation.
    pub(crate) fn open_options(&self) -> OpenOptions {
        OpenOptions { chat: self.chat, precision: Some(self.precision) }
    }
}

/// What of the language model learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trainable {
    /// Nothing: the backbone is frozen.
    #[default]
    None,
    /// Every weight.
    All,
    /// The token embeddings, and the projections around a factored embedding.
    Embeddings,
    /// Low-rank adapters beside the frozen weights, as `[model] lora` says.
    Lora,
}

/// Where the tokenizer of a new model comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "the tokenizer is a directory, \"world\", or { task = \"…\", vocab = 4096 }")]
pub enum TokenizerSource {
    /// `"world"`, or a directory.
    Given(String),
    /// A byte-level BPE tokenizer of its own.
    Trained(TrainedTokenizer),
}

/// A byte-level BPE tokenizer that is trained for a new model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainedTokenizer {
    /// The text task whose `train` split it is trained on.
    pub task: String,
    /// Number of tokens, at most.
    pub vocab: usize,
}
