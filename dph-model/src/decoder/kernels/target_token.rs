//! [`TargetToken`]: a target of the log-probability kernel.

/// A token whose log-probability is computed, and the state that predicts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TargetToken {
    /// Index into the distinct states, in ascending order.
    pub state: usize,
    /// The token.
    pub token: u32,
}
