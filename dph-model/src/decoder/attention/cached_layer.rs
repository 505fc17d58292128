//! [`CachedLayer`]: the cache of one block.

use burn::tensor::Tensor;

/// Keys and values of one block, both `[rows, n_kv_heads, room, head_dim]`. There is room for more tokens, so that
/// adding one does not copy the others.
#[derive(Debug, Clone)]
pub(crate) struct CachedLayer {
    pub keys: Tensor<4>,
    pub values: Tensor<4>,
    /// Number of tokens.
    pub len: usize,
}
