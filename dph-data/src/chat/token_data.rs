//! [`TokenData`]: a conversation as a language model is trained on it.

/// Which answers of a conversation are trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supervise {
    /// Every message of the assistant.
    All,
    /// Only the last message, if it is the assistant's. Earlier answers are examples.
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
