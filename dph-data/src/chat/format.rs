//! [`ChatFormat`]: the format of conversations, and the file of a model directory that stores it.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fs, io};

use dph_core::write_atomically;

use crate::chat::error::ChatError;

/// The format of conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChatFormat {
    /// The format of the paper: the start token, then for each message `<|im_start|>{role}\n`, the content and
    /// `<|im_end|>\n`, each tokenised separately and never merged.
    ChatMl,
    /// The tokenizer's own chat template.
    Template,
}

/// File of a model directory that stores the format of conversations, if it is not the default of the tokenizer:
/// `{"format": "chatml"}`.
pub const CHAT_FILE: &str = "chat.json";

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ChatFile {
    format: ChatFormat,
}

impl ChatFormat {
    /// The format in the [`CHAT_FILE`] of a folder, if the file exists.
    ///
    /// # Errors
    /// A file that cannot be read or is invalid.
    pub fn load(folder: &Path) -> Result<Option<Self>, ChatError> {
        let path = folder.join(CHAT_FILE);
        Self::parse_file(fs::read(&path), path)
    }

    /// The format in a [`CHAT_FILE`] with these contents.
    pub(crate) fn parse_file(
        contents: io::Result<Vec<u8>>,
        path: PathBuf,
    ) -> Result<Option<Self>, ChatError> {
        match contents {
            Ok(json) => match serde_json::from_slice::<ChatFile>(&json) {
                Ok(file) => Ok(Some(file.format)),
                Err(error) => {
                    Err(ChatError::Invalid { path, what: "chat format", message: error.to_string() })
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ChatError::Read { path, source }),
        }
    }

    /// Writes the [`CHAT_FILE`] into an existing folder, atomically.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(self, folder: &Path) -> io::Result<()> {
        let json = serde_json::to_vec(&ChatFile { format: self })?;
        write_atomically(&folder.join(CHAT_FILE), &[json, b"\n".to_vec()].concat())
    }
}

impl FromStr for ChatFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "chatml" => Ok(Self::ChatMl),
            "template" => Ok(Self::Template),
            _ => Err("a chat format is `chatml` or `template`".into()),
        }
    }
}
