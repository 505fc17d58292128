//! [`Message`]: one message of a conversation.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value as Json};

use crate::chat::content::Content;
use crate::chat::error::ChatError;

pub(crate) const SYSTEM: &str = "system";
pub(crate) const USER: &str = "user";
pub(crate) const ASSISTANT: &str = "assistant";

/// One message of a conversation.
///
/// In JSON it is an object with `role`, `content` and any other keys. As in transformers, a key with the value null counts as
/// absent. `content` may be null, and a message with `tool_calls` may lack it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Message {
    /// `system`, `user`, `assistant`, or another role of letters, digits, `_` and `-`.
    pub role: String,
    /// The content. It is encoded as text and never produces control tokens.
    pub content: Content,
    /// Other keys, such as `name`, `tool_calls` or `reasoning_content`. A chat template sees them; ChatML ignores them. Texts
    /// in them never produce control tokens.
    #[serde(flatten)]
    pub extra: Map<String, Json>,
}

impl Message {
    /// A message of any role.
    pub fn new(role: impl Into<String>, content: impl Into<Content>) -> Self {
        Self { role: role.into(), content: content.into(), extra: Map::new() }
    }

    /// A system message.
    pub fn system(content: impl Into<Content>) -> Self {
        Self::new(SYSTEM, content)
    }

    /// A user's message.
    pub fn user(content: impl Into<Content>) -> Self {
        Self::new(USER, content)
    }

    /// An assistant's message.
    pub fn assistant(content: impl Into<Content>) -> Self {
        Self::new(ASSISTANT, content)
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Fields {
            role: String,
            /// `None` if there is no such key.
            #[serde(default, deserialize_with = "present")]
            content: Option<Content>,
            #[serde(flatten)]
            extra: Map<String, Json>,
        }
        fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Content>, D::Error> {
            Content::deserialize(deserializer).map(Some)
        }
        let Fields { role, content, mut extra } = Fields::deserialize(deserializer)?;
        extra.retain(|_, value| !value.is_null());
        let content = content
            .or_else(|| extra.contains_key("tool_calls").then(Content::absent))
            .ok_or_else(|| serde::de::Error::missing_field("content"))?;
        Ok(Self { role, content, extra })
    }
}

/// Rejects roles that would have to be escaped.
pub(crate) fn check_role(role: &str) -> Result<(), ChatError> {
    let plain = !role.is_empty() && role.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    plain.then_some(()).ok_or_else(|| ChatError::Role { role: role.to_owned() })
}
