//! [`tokenizer_config`]: the configuration of a tokenizer, with its special tokens from another file.

use serde_json::{Map, Value};

use super::error::TokenizerFilesError;
use super::files::TokenizerFileReader;

const CONFIG: &str = "tokenizer_config.json";

/// The contents of `tokenizer_config.json`; `None` if it does not exist.
///
/// As in transformers 5.24, `special_tokens_map.json` replaces keys of a configuration that has no `added_tokens_decoder`, and
/// is ignored otherwise. The lists `extra_special_tokens` of both are joined.
///
/// # Errors
///
/// If a file cannot be read or parsed, or if the configuration asks for something that is not supported.
pub fn tokenizer_config(
    files: &TokenizerFileReader<'_>,
) -> Result<Option<Map<String, Value>>, TokenizerFilesError> {
    let config: Option<Map<String, Value>> = files.json(CONFIG, "tokenizer configuration")?;
    let map: Option<Map<String, Value>> = files.json("special_tokens_map.json", "map of special tokens")?;
    if config.is_none() && map.is_none() {
        return Ok(None);
    }
    let mut config = config.unwrap_or_default();
    let invalid = |message: String| files.invalid(CONFIG, "tokenizer configuration", message);
    if config.get("split_special_tokens").and_then(Value::as_bool) == Some(true) {
        return Err(invalid(
            "`split_special_tokens` is not supported: it splits the special tokens that end the turns of a conversation; \
             set it to false"
                .to_owned(),
        ));
    }
    match config.get("added_tokens_decoder").and_then(Value::as_object) {
        Some(added) => {
            if let Some(id) = added.keys().find(|id| id.parse::<u32>().is_err()) {
                return Err(invalid(format!(
                    "`added_tokens_decoder` has the id {id}; an id is a whole number below 2^32"
                )));
            }
        }
        None => map.into_iter().flatten().for_each(|(key, value)| merge(&mut config, key, value)),
    }
    Ok(Some(config))
}

fn merge(config: &mut Map<String, Value>, key: String, value: Value) {
    let existing = config.get(&key).and_then(Value::as_array).filter(|_| key == "extra_special_tokens");
    let value = match (existing, value) {
        (Some(existing), Value::Array(more)) => {
            let new = more.into_iter().filter(|token| !existing.contains(token));
            existing.iter().cloned().chain(new).collect()
        }
        (_, value) => value,
    };
    config.insert(key, value);
}
