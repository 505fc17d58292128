//! Conversations and their tokens: messages, the formats of conversations, and the tokenizer that applies them.

mod add_tokens;
mod answer_place;
mod chatml;
mod control;
mod encoder;
mod error;
mod files;
mod format;
mod jinja;
mod layout;
mod message;
mod options;
mod python_json;
mod python_value;
mod sequence;
mod special_ids;
mod strftime;
mod template;
mod template_format;
mod token_data;
mod tokenizer;
mod train;
mod vocabulary;

pub use add_tokens::add_special_tokens;
pub use error::ChatError;
pub use format::{CHAT_FILE, ChatFormat};
pub use message::Message;
pub(crate) use message::{ASSISTANT, SYSTEM, USER, check_role};
pub use options::ChatOptions;
pub use token_data::{Supervise, TokenData};
pub use tokenizer::ChatTokenizer;
pub use train::{TokenizerError, train_tokenizer};
