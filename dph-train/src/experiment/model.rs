//! `[model]`: the language model.

use std::path::PathBuf;

use dph_data::ChatFormat;
use dph_eval::OpenOptions;
use dph_model::LoraConfig;
use dph_model::checkpoint::Precision;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tokenizer_source::TokenizerSource;

/// The source of the language model, and which of its weights are trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// A Hugging Face style directory, a `.gguf` file, a LoRA adapter of PEFT, or a repository of the Hugging Face Hub,
    /// `"hf:owner/name"`. Either `path` or
    /// `new` is required. If both are given, `path` is used, and `new` is its configuration for `--dry-run` if `path` does not exist;
    /// if `path` exists, both must describe the same model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// The base model of an adapter. The default is the model that its `adapter_config.json` names. The run keeps a copy of the base with
    /// the adapter merged into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<PathBuf>,
    /// A new model with random weights: the contents of a `config.json`. A key that its family does not have is an error. The
    /// default of `vocab_size` is the vocabulary size of the tokenizer. Requires `tokenizer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub new: Option<toml::Table>,
    /// The tokenizer of a new model: a directory, `"world"` for the tokenizer of the synthetic world, or
    /// `{ task = "wikitext", vocab = 4096 }` for a tokenizer that is trained on a text task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerSource>,
    /// The format of conversations: `"template"`, the tokenizer's chat template, or `"chatml"`, the format of the paper. The default
    /// is `"template"` if the tokenizer has a chat template, else `"chatml"`. The exported models of the stages use the same format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<ChatFormat>,
    /// The type in which the matrices of a frozen model are stored and multiplied: `"f32"`, or `"bf16"` or `"f16"` if the device
    /// supports it. Everything else is f32, including the head and the adapters.
    #[serde(default)]
    pub precision: Precision,
    /// The weights that are trained in stages without their own `trainable`.
    #[serde(default)]
    pub trainable: Trainable,
    /// The adapters of `trainable = "lora"`: `{ rank = 8, alpha = 16.0, targets = ["q_proj", "k_proj", "v_proj"] }`.
    #[serde(default)]
    pub lora: LoraConfig,
}

impl Model {
    /// The options with which exported models are opened for the evaluation.
    pub(crate) fn open_options(&self) -> OpenOptions {
        OpenOptions {
            chat: self.chat,
            precision: Some(self.precision),
            text_only: true,
            ..OpenOptions::default()
        }
    }
}

/// The weights of the language model that are trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trainable {
    /// None: the backbone is frozen.
    #[default]
    None,
    /// All weights.
    All,
    /// The token embeddings, and the projections around a factored embedding.
    Embeddings,
    /// Low-rank adapters on the frozen weights, configured by `[model] lora`.
    Lora,
}
