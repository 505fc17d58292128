//! [`Message`]: one message of a conversation.

use crate::chat::content::Content;
use crate::chat::error::ChatError;

pub(crate) const SYSTEM: &str = "system";
pub(crate) const USER: &str = "user";
pub(crate) const ASSISTANT: &str = "assistant";

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Message {
    /// `system`, `user`, `assistant`, or another role of letters, digits, `_` and `-`.
    pub role: String,
    /// The content. It is encoded as text and never produces control tokens.
    pub content: Content,
}

impl Message {
    /// A message of any role.
    pub fn new(role: impl Into<String>, content: impl Into<Content>) -> Self {
        Self { role: role.into(), content: content.into() }
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

/// Rejects roles that would have to be escaped.
pub(crate) fn check_role(role: &str) -> Result<(), ChatError> {
    let plain = !role.is_empty() && role.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    plain.then_some(()).ok_or_else(|| ChatError::Role { role: role.to_owned() })
}
