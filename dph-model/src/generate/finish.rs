//! [`Finish`]: why an answer ended.

/// Why generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finish {
    /// The model generated a stop token.
    Stop,
    /// `max_tokens` tokens were generated.
    Length,
    /// The model's context is full.
    Context,
}
