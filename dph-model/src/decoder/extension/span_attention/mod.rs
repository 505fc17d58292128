//! Attention over the spans of a layout, on every backend, with memory that is linear in the tokens.
//!
//! A [`SpanPlan`] divides attention into stacks of equal shape. Each stack gives weighted values and the logarithm of the
//! sum of its exponentials (log-sum-exp). What a token gets from its own span and from its context is merged by these.
//! The backward pass computes the weights again from the scores (Dao et al., arXiv 2205.14135), so no square of scores
//! is stored.

mod composed;
mod gradient;
#[cfg(feature = "tch")]
mod libtorch;
mod merge;
mod plan;
mod stack;
mod stack_attention;

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Device, Int, Tensor, TensorData};

use merge::TokenInputs;
pub(crate) use plan::SpanPlan;

/// A plan and its indices and factors as tensors.
#[derive(Debug, Clone)]
pub(crate) struct DevicePlan {
    plan: Arc<SpanPlan>,
    indices: Tensor<1, Int>,
    factors: Tensor<1>,
}

impl DevicePlan {
    pub fn new(plan: SpanPlan, device: &Device) -> Self {
        // Backends do not agree on empty tensors.
        let indices = if plan.indices.is_empty() { vec![0] } else { plan.indices.clone() };
        let factors = if plan.factors.is_empty() { vec![0.0] } else { plan.factors.clone() };
        let (index_count, factor_count) = (indices.len(), factors.len());
        Self {
            plan: Arc::new(plan),
            indices: Tensor::from_data(TensorData::new(indices, [index_count]), device),
            factors: Tensor::from_data(TensorData::new(factors, [factor_count]), device),
        }
    }
}

/// The weighted values of all tokens, `[tokens, n_heads, head_dim]`; unspecified for padding. Scores are scaled by `1 /
/// √head_dim`.
///
/// # Shapes
///
/// - query: `[tokens, n_heads, head_dim]`
/// - key, value: `[tokens + registers, n_kv_heads, head_dim]`; the registers of all rows follow the tokens
pub(crate) fn span_attention(
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    plan: &DevicePlan,
) -> Tensor<3> {
    let DevicePlan { plan, indices, factors } = plan.clone();
    let inputs = TokenInputs {
        query: query.into_dispatch(),
        key: key.into_dispatch(),
        value: value.into_dispatch(),
        indices: indices.into_dispatch(),
        factors: factors.into_dispatch(),
    };
    Tensor::from_dispatch(<Dispatch as SpanAttention>::span_attention(inputs, plan))
}

/// [`span_attention`] on the tensors of a backend.
#[backend_extension(
    Cube: cfg(any(feature = "wgpu", feature = "vulkan", feature = "cuda")),
    Flex: cfg(feature = "flex"),
    LibTorch: cfg(feature = "tch"),
    Autodiff
)]
pub(crate) trait SpanAttention: Backend {
    fn span_attention(#[extension_type] inputs: TokenInputs<Self>, plan: Arc<SpanPlan>) -> FloatTensor<Self>;
}
