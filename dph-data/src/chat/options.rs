//! [`ChatOptions`]: what the files of a tokenizer leave open.

use super::format::ChatFormat;

/// Choices that a tokenizer's files leave open.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatOptions {
    /// The format of conversations. `None` takes what `chat.json` says; without it the tokenizer's own chat template, or
    /// without one ChatML if the vocabulary has its two tokens.
    pub format: Option<ChatFormat>,
    /// A chat template (Jinja) to use in place of the tokenizer's own.
    pub template: Option<String>,
    /// The token that starts a ChatML conversation and plain text. `None` takes the beginning-of-text token or, where that
    /// is `<|im_start|>` or missing, the end-of-text token (the paper's tokenizer has one token for both).
    pub start: Option<String>,
    /// Today, for templates that ask (`strftime_now`), as year, month, day. It is fixed, for otherwise the same
    /// prompt would have other tokens tomorrow; the default is the date that Llama's templates fall back on.
    pub date: [u16; 3],
    /// Whether a tokenizer without any chat format will do, as long as only plain text is tokenised.
    pub text_only: bool,
}

impl Default for ChatOptions {
    fn default() -> Self {
        Self { format: None, template: None, start: None, date: [2024, 7, 26], text_only: false }
    }
}
