//! [`Style`]: how documents are worded for a model.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How documents are worded for a model.
///
/// A preference head fits one style, because it reads the state of the last token: in a conversation the end-of-turn token, in
/// plain text the last token of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// A conversation in the chat format of the tokenizer: the wording of the paper.
    #[default]
    Chat,
    /// Text that is continued: the wording, spacing and tokens of lm-evaluation-harness.
    Plain,
}

impl Style {
    /// Whether this is [`Style::Chat`], which files do not name.
    pub fn is_chat(&self) -> bool {
        *self == Self::Chat
    }
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Chat => "chat",
            Self::Plain => "plain",
        })
    }
}

impl FromStr for Style {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "chat" => Ok(Self::Chat),
            "plain" => Ok(Self::Plain),
            _ => Err("a style is `chat` or `plain`".into()),
        }
    }
}
