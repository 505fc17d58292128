//! The files of a Hugging Face tokenizer.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use dph_core::tokenizer_files::{TokenizerFileReader, convert_tokenizer, tokenizer_config};
use serde_json::Value as Json;
use tokenizers::AddedToken;

use crate::chat::error::ChatError;
use crate::chat::format::{CHAT_FILE, ChatFormat};
use crate::chat::template::chat_template::NamedTokens;

/// Reads a file by its name; a missing file is the error `NotFound`.
pub(crate) type ReadFile<'a> = &'a dyn Fn(&str) -> io::Result<Vec<u8>>;

/// The parsed files of a tokenizer.
pub(crate) struct TokenizerFiles {
    pub folder: PathBuf,
    /// The contents of `tokenizer.json`, which is made of other files if it does not exist.
    pub tokenizer: Vec<u8>,
    /// The chat template, from `chat_template.jinja` or `tokenizer_config.json`.
    pub chat_template: Option<String>,
    /// The format in `chat.json`.
    pub chat_format: Option<ChatFormat>,
    /// Tokens by name, from `tokenizer_config.json` with `special_tokens_map.json`.
    pub tokens: NamedTokens,
    /// The tokens that `tokenizer_config.json` adds to `tokenizer.json`, by id: `added_tokens_decoder`.
    pub added_tokens: BTreeMap<u32, AddedToken>,
    /// Ids by name, such as `bos_token_id`, from `generation_config.json`, then `config.json`.
    ids: Vec<Json>,
}

impl TokenizerFiles {
    /// Reads the files. `folder` is used in error messages only.
    pub(crate) fn read(folder: &Path, read: ReadFile<'_>) -> Result<Self, ChatError> {
        let files = TokenizerFileReader { folder, read };
        let optional = |name: &str, what| Ok::<_, ChatError>(files.json(name, what)?.unwrap_or(Json::Null));
        let (tokenizer, config) = match files.bytes("tokenizer.json")? {
            Some(tokenizer) => (tokenizer, tokenizer_config(&files)?.unwrap_or_default().into()),
            None => {
                let converted = convert_tokenizer(folder, read)?;
                (converted.tokenizer.into_bytes(), converted.config.into())
            }
        };
        let config: Json = config;
        let token = |name: &str| token_text(&config[name]);
        let tokens = NamedTokens {
            bos: token("bos_token"),
            eos: token("eos_token"),
            pad: token("pad_token"),
            unk: token("unk_token"),
            sep: token("sep_token"),
            cls: token("cls_token"),
            mask: token("mask_token"),
            extra: extra_tokens(&config),
        };
        Ok(Self {
            chat_template: chat_template(&files, &config)?,
            chat_format: ChatFormat::parse_file(read(CHAT_FILE), folder.join(CHAT_FILE))?,
            tokenizer,
            tokens,
            added_tokens: added_tokens(&config),
            ids: vec![
                optional("generation_config.json", "generation configuration")?,
                optional("config.json", "model configuration")?,
            ],
            folder: folder.to_owned(),
        })
    }

    /// An id from the configuration of the model; the first one of a list.
    pub(crate) fn id(&self, name: &str) -> Option<u32> {
        self.ids.iter().find_map(|file| {
            let id = &file[name];
            id.as_u64().or_else(|| id[0].as_u64()).and_then(|id| u32::try_from(id).ok())
        })
    }
}

/// The text of a token, which is a string or an object with `content`.
fn token_text(value: &Json) -> Option<String> {
    value.as_str().or_else(|| value["content"].as_str()).map(str::to_owned)
}

/// The tokens of `additional_special_tokens` and `extra_special_tokens`, which may have names.
fn extra_tokens(config: &Json) -> Vec<(Option<String>, String)> {
    let lists = ["additional_special_tokens", "extra_special_tokens"].map(|key| &config[key]);
    let unnamed = lists.iter().filter_map(|list| list.as_array()).flatten();
    let unnamed = unnamed.filter_map(|token| Some((None, token_text(token)?)));
    let named = lists.iter().filter_map(|list| list.as_object()).flatten();
    let named = named.filter_map(|(name, token)| Some((Some(name.clone()), token_text(token)?)));
    unnamed.chain(named).collect()
}

/// The entries of `added_tokens_decoder`.
fn added_tokens(config: &Json) -> BTreeMap<u32, AddedToken> {
    let entries = config["added_tokens_decoder"].as_object().into_iter().flatten();
    entries
        .filter_map(|(id, token)| {
            let flag = |name: &str| token[name].as_bool().unwrap_or(false);
            let added = AddedToken::from(token["content"].as_str()?, flag("special"))
                .lstrip(flag("lstrip"))
                .rstrip(flag("rstrip"))
                .single_word(flag("single_word"));
            let normalized = token["normalized"].as_bool().unwrap_or(added.normalized);
            Some((id.parse().ok()?, added.normalized(normalized)))
        })
        .collect()
}

fn chat_template(files: &TokenizerFileReader<'_>, config: &Json) -> Result<Option<String>, ChatError> {
    let folder = files.folder;
    if let Some(source) = files.bytes("chat_template.jinja")? {
        return Ok(Some(String::from_utf8_lossy(&source).into_owned()));
    }
    let invalid = |message: &str| ChatError::Invalid {
        path: folder.join("tokenizer_config.json"),
        what: "tokenizer configuration",
        message: message.to_owned(),
    };
    match &config["chat_template"] {
        Json::Null => Ok(None),
        Json::String(source) => Ok(Some(source.clone())),
        Json::Array(named) => {
            let default = named.iter().find(|entry| entry["name"] == "default");
            let source = default.and_then(|entry| entry["template"].as_str());
            source.map(|source| Some(source.to_owned())).ok_or_else(|| {
                invalid(
                    "`chat_template` is a list without an entry named \"default\"; rename the one to use to \"default\"",
                )
            })
        }
        _ => Err(invalid("`chat_template` must be text or a list of named templates")),
    }
}
