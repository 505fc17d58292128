//! [`ChatOptions`]: settings that override the files of a tokenizer.

use dph_core::Ending;

use crate::chat::format::ChatFormat;

/// Settings that override the files of a tokenizer.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatOptions {
    /// The format of conversations. `None` uses `chat.json`, else the chat template of the tokenizer, else ChatML if the
    /// vocabulary has its two tokens.
    pub format: Option<ChatFormat>,
    /// A chat template (Jinja) that replaces the template of the tokenizer.
    pub template: Option<String>,
    /// The token that starts a ChatML conversation and plain text. `None` uses the beginning-of-text token or, if that is
    /// `<|im_start|>` or missing, the end-of-text token (the tokenizer of the paper has one token for both).
    pub start: Option<String>,
    /// The current date for templates that use `strftime_now`, as year, month, day. It is fixed so that the tokens of a prompt
    /// do not change from day to day. The default is the fallback date of Llama's templates.
    pub date: [u16; 3],
    /// Whether a tokenizer without a chat format is accepted; then only plain text can be tokenised.
    pub text_only: bool,
    /// Where the tokens of a candidate end.
    pub ending: Ending,
}

impl Default for ChatOptions {
    fn default() -> Self {
        Self {
            format: None,
            template: None,
            start: None,
            date: [2024, 7, 26],
            text_only: false,
            ending: Ending::Turn,
        }
    }
}
