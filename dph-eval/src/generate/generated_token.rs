//! [`GeneratedToken`]: a token of an answer that grows.

/// A token of an answer that grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeneratedToken {
    /// Index of the prompt.
    pub prompt: usize,
    /// Number of the answer.
    pub answer: usize,
    /// The token.
    pub token: u32,
    /// Its log-probability (natural logarithm) in the model's own distribution, without temperature, truncation and penalty.
    pub log_prob: f32,
}
