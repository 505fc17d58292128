//! Adds control tokens to a tokenizer.

use std::path::Path;

use dph_core::tokenizer_files::{TokenizerFileReader, convert_tokenizer};
use dph_core::write_atomically;
use tokenizers::{AddedToken, Tokenizer};

use crate::chat::error::ChatError;

/// Adds special tokens to the `tokenizer.json` of a folder, which is replaced atomically. If there is none, it is made of the
/// other files of the tokenizer. Returns the number of tokens that are new.
///
/// # Errors
/// A file that cannot be read, parsed or written.
pub fn add_special_tokens(folder: &Path, tokens: &[String]) -> Result<usize, ChatError> {
    let path = folder.join("tokenizer.json");
    let invalid = |error: tokenizers::Error| ChatError::Invalid {
        path: path.clone(),
        what: "tokenizer",
        message: error.to_string(),
    };
    let read = |name: &str| std::fs::read(folder.join(name));
    let json = match (TokenizerFileReader { folder, read: &read }).bytes("tokenizer.json")? {
        Some(json) => json,
        None => {
            let converted = convert_tokenizer(folder, &read)?;
            // Written first: without `tokenizer.json`, both are made again.
            let path = folder.join("tokenizer_config.json");
            let config = format!("{:#}\n", serde_json::Value::from(converted.config));
            write_atomically(&path, config.as_bytes()).map_err(|source| ChatError::Write { path, source })?;
            converted.tokenizer.into_bytes()
        }
    };
    let mut tokenizer = Tokenizer::from_bytes(json).map_err(invalid)?;
    let special: Vec<AddedToken> =
        tokens.iter().map(|token| AddedToken::from(token.as_str(), true)).collect();
    let added = tokenizer.add_special_tokens(special).map_err(invalid)?;
    let json = tokenizer.to_string(true).map_err(invalid)?;
    write_atomically(&path, json.as_bytes()).map_err(|source| ChatError::Write { path, source })?;
    Ok(added)
}
