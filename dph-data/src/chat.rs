//! Conversations: messages, how formats arrange them, and what of them is trained on.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fs, io};

use dph_core::write_atomically;

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Message {
    /// Who speaks: `system`, `user`, `assistant`, or another role of letters, digits, `_` and `-`.
    pub role: String,
    /// What is said. It is text to the last character: no token of control can come of it.
    pub content: String,
}

impl Message {
    /// A message of any role.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into() }
    }

    /// A system message.
    pub fn system(content: impl Into<String>) -> Self {
        Self::new("system", content)
    }

    /// A user's message.
    pub fn user(content: impl Into<String>) -> Self {
        Self::new("user", content)
    }

    /// An answer.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::new("assistant", content)
    }
}

/// How a conversation becomes tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChatFormat {
    /// The paper's: the start token, then for each message `<|im_start|>{role}\n`, the content and
    /// `<|im_end|>\n`, each tokenised for itself and never merged.
    ChatMl,
    /// The tokenizer's own chat template.
    Template,
}

/// File of a model directory that says which format its conversations have, where that is not the tokenizer's choice:
/// `{"format": "chatml"}`.
pub const CHAT_FILE: &str = "chat.json";

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ChatFile {
    format: ChatFormat,
}

impl ChatFormat {
    /// What the [`CHAT_FILE`] of a folder says, if there is one.
    ///
    /// # Errors
    /// A file that cannot be read or says something else.
    pub fn load(folder: &Path) -> Result<Option<Self>, ChatError> {
        let path = folder.join(CHAT_FILE);
        Self::of_file(fs::read(&path), path)
    }

    /// What the [`CHAT_FILE`] with these contents says.
    pub(crate) fn of_file(contents: io::Result<Vec<u8>>, path: PathBuf) -> Result<Option<Self>, ChatError> {
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

    /// Writes the [`CHAT_FILE`] of a folder that exists, atomically.
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

/// Which answers of a conversation are trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supervise {
    /// Every message of the assistant.
    All,
    /// Only the last message, if it is the assistant's: the earlier ones are examples.
    Last,
}

/// A whole conversation as a language model is trained on it. All four vectors have the same length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenData {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// For each token the next one; for the last one the end-of-text token.
    pub targets: Vec<u32>,
    /// Whether `targets[i]` is trained on: the content of answers and their end-of-turn token.
    pub train_mask: Vec<bool>,
    /// Whether `targets[i]` counts when a log-likelihood is measured: the content of answers only.
    pub test_mask: Vec<bool>,
}

/// What makes a tokenizer or a conversation unusable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// A file of the tokenizer cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the tokenizer is not what it should be.
    #[error("{} is not a valid {what}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What was expected.
        what: &'static str,
        /// What the parser said.
        message: String,
    },
    /// Nothing says how this tokenizer's conversations look.
    #[error(
        "{} has no chat format: its tokenizer_config.json has no `chat_template` and its vocabulary no <|im_start|> and <|im_end|>; \
         add a `chat_template`, or add the two tokens and train their embeddings", path.display()
    )]
    NoFormat {
        /// The tokenizer's folder.
        path: PathBuf,
    },
    /// A file of the tokenizer cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The tokenizer lacks a token that is asked for.
    #[error("the tokenizer has no token `{token}`, which {needed_by} needs")]
    NoToken {
        /// The token.
        token: String,
        /// Who needs it.
        needed_by: &'static str,
    },
    /// The chat template cannot be compiled, or refuses the conversation.
    #[error("the chat template {what}{}: {message}", in_conversation(roles))]
    Template {
        /// What went wrong with it.
        what: &'static str,
        /// The roles of the conversation.
        roles: Vec<String>,
        /// What the template engine said.
        message: String,
    },
    /// A role could smuggle in control tokens or line breaks.
    #[error("`{role}` is not a role: a role consists of letters, digits, `_` and `-`")]
    Role {
        /// The role as given.
        role: String,
    },
    /// The conversation has no message to answer.
    #[error("a conversation needs at least one message")]
    Empty,
    /// The text cannot be tokenised.
    #[error("cannot tokenise the text: {message}")]
    Tokenise {
        /// What the tokenizer said.
        message: String,
    },
}

fn in_conversation(roles: &[String]) -> String {
    if roles.is_empty() { String::new() } else { format!(" (roles: {})", roles.join(", ")) }
}

/// Refuses roles that would have to be escaped.
pub(crate) fn check_role(role: &str) -> Result<(), ChatError> {
    let plain = !role.is_empty() && role.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    plain.then_some(()).ok_or_else(|| ChatError::Role { role: role.to_owned() })
}
