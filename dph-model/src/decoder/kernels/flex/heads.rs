//! [`Heads`]: the memory layout of attention heads.

use crate::decoder::Attention;

/// The layout of the heads in a row of queries, keys and values.
#[derive(Clone, Copy)]
pub(super) struct Heads {
    pub n_heads: usize,
    pub n_kv_heads: usize,
    pub head_dim: usize,
}

impl Heads {
    pub fn new(attention: &Attention) -> Self {
        Self { n_heads: attention.n_heads, n_kv_heads: attention.n_kv_heads, head_dim: attention.head_dim }
    }

    /// Floats per token in the joint projection.
    pub fn width(&self) -> usize {
        (self.n_heads + 2 * self.n_kv_heads) * self.head_dim
    }

    /// Floats per token in the output.
    pub fn context_width(&self) -> usize {
        self.n_heads * self.head_dim
    }
}
