//! [`Settings`]: the configuration files beside a vocabulary.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::added_tokens::AddedToken;
use super::error::TokenizerFilesError;
use super::files::TokenizerFileReader;
use super::special_tokens_map::tokenizer_config;

/// The keys of the special tokens, in the order in which transformers adds them.
const NAMES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

pub(super) struct Settings {
    /// `tokenizer_config.json` with `special_tokens_map.json`.
    pub config: Map<String, Value>,
    /// `config.json`.
    pub model: Map<String, Value>,
    /// `added_tokens.json`: ids by token.
    added: Map<String, Value>,
}

impl Settings {
    pub fn read(files: &TokenizerFileReader<'_>) -> Result<Self, TokenizerFilesError> {
        let object = |name, what| Ok(files.json(name, what)?.unwrap_or_default());
        let added: Map<String, Value> = object("added_tokens.json", "list of added tokens")?;
        check_ids(files, "added_tokens.json", "list of added tokens", &added)?;
        Ok(Self {
            config: tokenizer_config(files)?.unwrap_or_default(),
            model: object("config.json", "model configuration")?,
            added,
        })
    }

    /// A flag of `tokenizer_config.json`; `default` where it is absent or null.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.config.get(name).and_then(Value::as_bool).unwrap_or(default)
    }

    /// The key `legacy`; `default` where it is absent. Null means false, as in transformers.
    pub fn legacy(&self, default: bool) -> bool {
        self.config.get("legacy").map_or(default, |legacy| legacy.as_bool().unwrap_or(false))
    }

    /// The value of a special token, if a file has its key.
    pub fn name(&self, key: &str) -> Option<&Value> {
        self.config.get(key)
    }

    /// The special tokens by their keys, with defaults for keys that no file has. A key with the value null has no token.
    pub fn named(&self, defaults: &[(&'static str, String)]) -> Vec<(String, AddedToken)> {
        let standard = NAMES.iter().filter_map(|&key| {
            let default = || defaults.iter().find(|default| default.0 == key);
            let token = match self.name(key) {
                Some(value) => AddedToken::parse_special(value),
                None => default().map(|(_, text)| AddedToken::new(text, true)),
            };
            Some((key.to_owned(), token?))
        });
        // Tokens of single models, such as `image_token`.
        let is_own = |key: &str| key.ends_with("_token") && !NAMES.contains(&key);
        let own = self.config.iter().filter(|(key, value)| is_own(key) && value.is_string());
        let extra = self.config.get("extra_special_tokens").and_then(Value::as_object);
        let own = own.chain(extra.into_iter().flatten());
        standard
            .chain(own.filter_map(|(key, value)| Some((key.clone(), AddedToken::parse_special(value)?))))
            .collect()
    }

    /// The list of further special tokens; `None` if there is no list.
    pub fn additional(&self) -> Option<Vec<AddedToken>> {
        let list = |key: &str| self.config.get(key).and_then(Value::as_array);
        let extra = list("extra_special_tokens");
        let list = extra.filter(|list| !list.is_empty()).or_else(|| list("additional_special_tokens"));
        Some(list.or(extra)?.iter().filter_map(AddedToken::parse_special).collect())
    }

    /// `added_tokens_decoder` of `tokenizer_config.json`, or else the tokens of `added_tokens.json`, by id.
    pub fn added_tokens(&self, named: &[(String, AddedToken)]) -> BTreeMap<usize, AddedToken> {
        if let Some(decoder) = self.config.get("added_tokens_decoder").and_then(Value::as_object) {
            let token = |(id, token): (&String, &Value)| Some((id.parse().ok()?, AddedToken::parse(token)?));
            return decoder.iter().filter_map(token).collect();
        }
        let additional = self.additional().unwrap_or_default();
        let special = named.iter().map(|(_, token)| token).chain(&additional);
        let token = |(text, id): (&String, &Value)| {
            let special = special.clone().any(|token| token.content == *text);
            Some((id.as_u64()? as usize, AddedToken::new(text, special)))
        };
        self.added.iter().filter_map(token).collect()
    }
}

/// Rejects a vocabulary with an id that is not a whole number below 2^32. Errors call the file a `what`.
pub(super) fn check_ids(
    files: &TokenizerFileReader<'_>,
    name: &str,
    what: &'static str,
    ids: &Map<String, Value>,
) -> Result<(), TokenizerFilesError> {
    let is_id = |id: &Value| id.as_u64().is_some_and(|id| u32::try_from(id).is_ok());
    match ids.iter().find(|(_, id)| !is_id(id)) {
        Some((token, id)) => Err(files.invalid(
            name,
            what,
            format!("the id of `{token}` is {id}; an id is a whole number below 2^32"),
        )),
        None => Ok(()),
    }
}
