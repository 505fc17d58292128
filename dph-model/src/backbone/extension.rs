//! [`Extension`]: further tokens of sequences.

use crate::decoder::Cache;

/// Further tokens of the sequences in a cache, see [`Backbone::extend`](crate::Backbone::extend).
#[derive(Debug)]
pub struct Extension<'a> {
    /// `[rows, seq]`, flattened.
    pub tokens: &'a [i32],
    /// Number of sequences.
    pub rows: usize,
    /// What they continue. The tokens are added to it.
    pub cache: &'a mut Cache,
}
