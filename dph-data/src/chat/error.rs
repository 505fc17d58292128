//! [`ChatError`]: what makes a tokenizer or a conversation unusable.

use std::fmt;
use std::io;
use std::path::PathBuf;

use dph_core::tokenizer_files::TokenizerFilesError;

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
        source: io::Error,
    },
    /// A file of the tokenizer is not what it should be.
    #[error("{} is not a valid {what}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The expected content.
        what: &'static str,
        /// What the parser said.
        message: String,
    },
    /// There is no `tokenizer.json`, and none can be made of the files.
    #[error(transparent)]
    Files(TokenizerFilesError),
    /// The tokenizer has no conversation format.
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
    /// The tokenizer lacks a token.
    #[error("the tokenizer has no token `{token}`, which {needed_by} needs")]
    NoToken {
        /// The token.
        token: String,
        /// The option or format that needs it.
        needed_by: &'static str,
    },
    /// The chat template cannot be compiled, or rejects the conversation.
    #[error("the chat template {what}{}: {message}", in_conversation(roles))]
    Template {
        /// What is wrong with it.
        what: &'static str,
        /// The roles of the conversation.
        roles: Vec<String>,
        /// What the template engine said.
        message: String,
    },
    /// A role with characters that could form control tokens or line breaks.
    #[error("`{role}` is not a role: a role consists of letters, digits, `_` and `-`")]
    Role {
        /// The role as given.
        role: String,
    },
    /// Nothing comes before a text or an answer, and there is no token to begin with.
    #[error(
        "nothing comes before the first token of the text or answer, and the tokenizer has neither a beginning-of-text nor an end-of-text \
         token to predict it from; name one in tokenizer_config.json"
    )]
    NoPrompt,
    /// The conversation has no message to answer.
    #[error("a conversation needs at least one message")]
    Empty,
    /// A candidate has no tokens behind its context.
    #[error("candidate {candidate} has no tokens of its own: its text is empty, or merges with the context")]
    NoAnswer {
        /// Index of the candidate.
        candidate: usize,
    },
    /// A candidate leaves no place for a context.
    #[error("candidate {candidate} has {tokens} tokens, and with a context {max_len} are allowed")]
    LongAnswer {
        /// Index of the candidate.
        candidate: usize,
        /// Its tokens.
        tokens: usize,
        /// The limit.
        max_len: usize,
    },
    /// The context has no room for a text between its special tokens.
    #[error(
        "a text has {special} special tokens, and {max_len} tokens are allowed: there is no room for the text itself; use a model with a longer context"
    )]
    NoRoom {
        /// Number of special tokens.
        special: usize,
        /// The limit.
        max_len: usize,
    },
    /// A text to classify has no tokens.
    #[error("the text is empty, and the tokenizer adds no special token to it")]
    EmptyText,
    /// The text cannot be tokenised.
    #[error("cannot tokenise the text: {message}")]
    Tokenise {
        /// What the tokenizer said.
        message: String,
    },
}

impl ChatError {
    /// A text that cannot be tokenised.
    pub(crate) fn tokenise(message: impl fmt::Display) -> Self {
        Self::Tokenise { message: message.to_string() }
    }
}

impl From<TokenizerFilesError> for ChatError {
    fn from(error: TokenizerFilesError) -> Self {
        match error {
            TokenizerFilesError::None { folder } => {
                let message = "there is no such file, and neither a tokenizer.model nor a vocab.json with merges.txt; copy the \
                               files of the tokenizer there, which a fine-tuned model shares with its base model";
                let source = io::Error::new(io::ErrorKind::NotFound, message);
                Self::Read { path: folder.join("tokenizer.json"), source }
            }
            TokenizerFilesError::Read { path, source } => Self::Read { path, source },
            TokenizerFilesError::Invalid { path, what, message } => Self::Invalid { path, what, message },
            error => Self::Files(error),
        }
    }
}

fn in_conversation(roles: &[String]) -> String {
    if roles.is_empty() { String::new() } else { format!(" (roles: {})", roles.join(", ")) }
}
