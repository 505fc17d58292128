//! Conversations and their tokens.
//!
//! A [`Message`] has a role and a [`Content`]. The [`ChatTokenizer`] reads the files of a tokenizer (`files/`), lays out a
//! conversation in one of two formats (`layout/`; `template/` renders chat templates) and tokenises it (`encode/`). A
//! [`TokenView`] shows the result.

mod content;
mod encode;
mod error;
mod files;
mod format;
mod layout;
mod message;
mod options;
mod special_ids;
mod template;
mod token_data;
mod token_view;
mod tokenizer;

pub use content::Content;
pub use error::ChatError;
pub use files::add_tokens::add_special_tokens;
pub use files::train::{TokenizerError, train_tokenizer};
pub use format::{CHAT_FILE, ChatFormat};
pub use layout::text_pair::{TextLayout, TextTokens};
pub use message::Message;
pub(crate) use message::{ASSISTANT, SYSTEM, USER};
pub use options::ChatOptions;
pub use token_data::{Supervise, TokenData};
pub use token_view::{CandidateView, TokenPart, TokenView};
pub use tokenizer::{ChatTokenizer, LengthLimit};
