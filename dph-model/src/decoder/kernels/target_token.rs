//! [`Wanted`]: a token whose log-probability is wanted.

/// A token whose log-probability is wanted, and the state that predicts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Index into the distinct states, which are in ascending order.
    pub state: usize,
    /// The token.
    pub token: u32,
}
