//! A summary of a model's tokenizer.

use std::collections::BTreeMap;

use dph_core::tokenizer_files::TokenizerFileReader;
use dph_model::ModelFiles;
use serde::Serialize;
use serde_json::Value;

/// A model's tokenizer.
#[derive(Debug, Serialize)]
pub(crate) struct TokenizerSummary {
    /// Number of tokens, including added ones.
    pub tokens: usize,
    /// Number of tokens that no text is tokenised to.
    pub control_tokens: usize,
    /// The special tokens by role.
    pub special: BTreeMap<&'static str, String>,
    /// Whether it has a chat template.
    pub chat_template: bool,
}

impl TokenizerSummary {
    /// The summary for a model's files; `None` if there is no tokenizer, an error message if it cannot be read.
    pub fn read(files: &ModelFiles) -> Result<Option<Self>, String> {
        let Some(tokenizer) = json(files, "tokenizer.json")? else { return Ok(None) };
        let config = json(files, "tokenizer_config.json")?.unwrap_or_default();
        let map = json(files, "special_tokens_map.json")?.unwrap_or_default();
        let added = tokenizer["added_tokens"].as_array().map_or(&[][..], Vec::as_slice);
        let vocabulary = &tokenizer["model"]["vocab"];
        let known = |token: &Value| match vocabulary {
            Value::Object(ids) => token["content"].as_str().is_some_and(|token| ids.contains_key(token)),
            Value::Array(tokens) => token["id"].as_u64().is_some_and(|id| (id as usize) < tokens.len()),
            _ => false,
        };
        let own = vocabulary.as_object().map(|ids| ids.len());
        let own = own.or_else(|| vocabulary.as_array().map(Vec::len)).unwrap_or(0);
        let mut special = BTreeMap::new();
        for (role, key) in
            [("bos", "bos_token"), ("eos", "eos_token"), ("pad", "pad_token"), ("unk", "unk_token")]
        {
            let text =
                |value: &Value| value.as_str().or_else(|| value["content"].as_str()).map(str::to_string);
            if let Some(token) = text(&config[key]).or_else(|| text(&map[key])) {
                special.insert(role, token);
            }
        }
        Ok(Some(Self {
            tokens: own + added.iter().filter(|token| !known(token)).count(),
            control_tokens: added.iter().filter(|token| token["special"] == true).count(),
            special,
            chat_template: !config["chat_template"].is_null() || files.read("chat_template.jinja").is_ok(),
        }))
    }
}

fn json(files: &ModelFiles, name: &str) -> Result<Option<Value>, String> {
    let reader = TokenizerFileReader { folder: files.path(), read: &|name| files.read(name) };
    reader.json(name, "file of a tokenizer").map_err(|error| error.to_string())
}
