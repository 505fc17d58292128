//! [`OpenOptions`]: how a model is opened.

use std::path::PathBuf;

use dph_data::ChatFormat;
use dph_model::checkpoint::Precision;

/// Options of [`Model::open_with`](crate::Model::open_with).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenOptions {
    /// The format of conversations; `None` takes the directory's own.
    pub chat: Option<ChatFormat>,
    /// The type of the language model's matrices, see [`LoadOptions::precision`](dph_model::LoadOptions::precision); `None` takes the one that the head was
    /// trained with, or f32 without a head.
    pub precision: Option<Precision>,
    /// Whether a tokenizer without a chat format is accepted; then only plain text can be scored.
    pub text_only: bool,
    /// Another copy of the language model of the head, such as a GGUF file of it; `None` takes the model that the head was trained on.
    /// Its content is not checked, only its family and sizes.
    pub backbone: Option<PathBuf>,
    /// The base model of an adapter of PEFT; `None` takes the one that the adapter names.
    pub base: Option<PathBuf>,
}
