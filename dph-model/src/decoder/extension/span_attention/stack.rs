//! Inputs and results of the attention of one stack.

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;

/// Queries, keys and values of a stack, and which keys are visible. Queries are not scaled.
#[derive(Debug, Clone)]
pub(super) struct StackInputs<B: Backend> {
    /// `[count, n_heads, queries, head_dim]`.
    pub query: FloatTensor<B>,
    /// `[count, n_kv_heads, keys, head_dim]`.
    pub key: FloatTensor<B>,
    /// `[count, n_kv_heads, keys, head_dim]`.
    pub value: FloatTensor<B>,
    /// Added to the scores of the keys, `[count, 1, 1, keys]`.
    pub key_bias: Option<FloatTensor<B>>,
    /// Whether query `i` attends only to the keys `0..=i`.
    pub causal: bool,
}

/// The result for the queries of a stack, or of all tokens.
#[derive(Debug, Clone)]
pub(super) struct Attended<B: Backend> {
    /// Weighted values, `[count, n_heads, queries, head_dim]` or `[tokens, n_heads, head_dim]`.
    pub output: FloatTensor<B>,
    /// Log-sum-exp of the scores, with 1 as the last dimension.
    pub log_sum: FloatTensor<B>,
}

/// Gradients of a stack, shaped like its [`StackInputs`].
#[derive(Debug)]
pub(super) struct StackGradients<B: Backend> {
    pub query: FloatTensor<B>,
    pub key: FloatTensor<B>,
    pub value: FloatTensor<B>,
}
