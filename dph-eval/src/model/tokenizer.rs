//! [`tokenizer`]: the tokenizer of a backbone.

use dph_core::Ending;
use dph_data::{ChatFormat, ChatOptions, ChatTokenizer};
use dph_model::ModelFiles;

use crate::model::error::ModelError;

/// The tokenizer of a backbone.
pub(super) fn tokenizer(
    files: &ModelFiles,
    format: Option<ChatFormat>,
    ending: Ending,
    text_only: bool,
) -> Result<ChatTokenizer, ModelError> {
    let options = ChatOptions { format, text_only, ending, ..ChatOptions::default() };
    Ok(ChatTokenizer::from_files(files.path(), &|name| files.read(name), &options)?)
}
