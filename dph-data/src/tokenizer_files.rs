//! The files of a Hugging Face tokenizer, as far as conversations need them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::chat::{ChatError, ChatFormat};
use crate::chat_template::NamedTokens;

/// What a folder says about its tokenizer.
pub(crate) struct TokenizerFiles {
    pub folder: PathBuf,
    /// `tokenizer.json`.
    pub tokenizer: Json,
    /// The chat template, from `chat_template.jinja` or `tokenizer_config.json`.
    pub chat_template: Option<String>,
    /// What `chat.json` says.
    pub chat_format: Option<ChatFormat>,
    /// Tokens by name, from `tokenizer_config.json`, then `special_tokens_map.json`.
    pub tokens: NamedTokens,
    /// Ids by name (`bos_token_id`, …), from `generation_config.json`, then `config.json`.
    ids: Vec<Json>,
}

impl TokenizerFiles {
    pub(crate) fn read(folder: &Path) -> Result<Self, ChatError> {
        let tokenizer = read_json(&folder.join("tokenizer.json"), "tokenizer")?;
        let config = read_optional(&folder.join("tokenizer_config.json"), "tokenizer configuration")?;
        let map = read_optional(&folder.join("special_tokens_map.json"), "map of special tokens")?;
        let token = |name: &str| [&config, &map].into_iter().find_map(|file| token_text(&file[name]));
        let tokens = NamedTokens {
            bos: token("bos_token"),
            eos: token("eos_token"),
            pad: token("pad_token"),
            unk: token("unk_token"),
        };
        Ok(Self {
            chat_template: chat_template(folder, &config)?,
            chat_format: ChatFormat::load(folder)?,
            tokenizer,
            tokens,
            ids: vec![
                read_optional(&folder.join("generation_config.json"), "generation configuration")?,
                read_optional(&folder.join("config.json"), "model configuration")?,
            ],
            folder: folder.to_owned(),
        })
    }

    /// An id that the model's own configuration gives; the first where there are several.
    pub(crate) fn id(&self, name: &str) -> Option<u32> {
        self.ids.iter().find_map(|file| {
            let id = &file[name];
            id.as_u64().or_else(|| id[0].as_u64()).and_then(|id| u32::try_from(id).ok())
        })
    }
}

/// A token is written as text, or as an object that describes it.
fn token_text(value: &Json) -> Option<String> {
    value.as_str().or_else(|| value["content"].as_str()).map(str::to_owned)
}

fn chat_template(folder: &Path, config: &Json) -> Result<Option<String>, ChatError> {
    let file = folder.join("chat_template.jinja");
    match fs::read_to_string(&file) {
        Ok(source) => return Ok(Some(source)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(ChatError::Read { path: file, source }),
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
                    "`chat_template` is a list without an entry named \"default\"; name the one to use so",
                )
            })
        }
        _ => Err(invalid("`chat_template` must be text or a list of named templates")),
    }
}

fn read_optional(path: &Path, what: &'static str) -> Result<Json, ChatError> {
    if path.exists() { read_json(path, what) } else { Ok(Json::Null) }
}

fn read_json(path: &Path, what: &'static str) -> Result<Json, ChatError> {
    let bytes = fs::read(path).map_err(|source| ChatError::Read { path: path.to_owned(), source })?;
    serde_json::from_slice(&bytes).map_err(|error| ChatError::Invalid {
        path: path.to_owned(),
        what,
        message: error.to_string(),
    })
}
