//! Norm of queries and keys per head.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// The normalisation of every query and key head before the rotation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum QueryKeyNormConfig {
    /// `x / (rms(x) + epsilon) · weight`, with a weight for every head: LSWT.
    PerHead {
        /// Constant added to the root of the mean square.
        epsilon: f64,
    },
    /// `x / √(mean(x²) + epsilon) · weight`, with the same weight for all heads: Qwen3.
    Shared {
        /// Constant added to the mean square.
        epsilon: f64,
    },
}

/// Root-mean-square norm of queries and keys per head.
#[derive(Module, Debug)]
pub struct QueryKeyNorm {
    /// Scale of the queries, `[n_heads, head_dim]`, or `[1, head_dim]` if they share it.
    pub query: Param<Tensor<2>>,
    /// Scale of the keys, `[n_kv_heads, head_dim]`, or `[1, head_dim]`.
    pub key: Param<Tensor<2>>,
    /// The kind of normalisation.
    #[module(skip)]
    pub config: QueryKeyNormConfig,
}

impl QueryKeyNorm {
    /// Normalised queries and keys, `[rows, heads, seq, head_dim]` each.
    pub fn forward(&self, query: Tensor<4>, key: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        (self.normalise(query, &self.query), self.normalise(key, &self.key))
    }

    fn normalise(&self, heads: Tensor<4>, weight: &Param<Tensor<2>>) -> Tensor<4> {
        let square = heads.clone().square().mean_dim(3);
        let root = match self.config {
            QueryKeyNormConfig::PerHead { epsilon } => square.sqrt() + epsilon,
            QueryKeyNormConfig::Shared { epsilon } => (square + epsilon).sqrt(),
        };
        let [count, head_dim] = weight.dims();
        heads / root * weight.val().reshape([1, count, 1, head_dim])
    }
}
