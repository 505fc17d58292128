//! One block of a decoder.

use burn::module::Module;
use burn::tensor::Tensor;

use super::{Attention, Cache, Mlp, Norm, Pass};
use crate::kernels;

/// Attention, then a feed-forward network, each behind a norm and added to the residual stream.
#[derive(Module, Debug)]
pub struct Block {
    /// Norm in front of the attention.
    pub attention_norm: Norm,
    /// The attention.
    pub attention: Attention,
    /// Norm in front of the feed-forward network.
    pub mlp_norm: Norm,
    /// The feed-forward network.
    pub mlp: Mlp,
}

impl Block {
    /// The residual stream behind the block, `[rows · seq, d_model]` like `stream`.
    ///
    /// Fused kernels do it where there are some for the device and no gradient is wanted; the state of padding is then
    /// unspecified.
    pub fn forward(&self, stream: Tensor<2>, pass: &Pass, cache: Option<(&mut Cache, usize)>) -> Tensor<2> {
        match cache {
            None => {
                kernels::block(self, stream, pass).unwrap_or_else(|stream| self.compose(stream, pass, None))
            }
            cache => self.compose(stream, pass, cache),
        }
    }

    /// [`forward`](Self::forward) out of operations that every backend has.
    pub(crate) fn compose(
        &self,
        stream: Tensor<2>,
        pass: &Pass,
        cache: Option<(&mut Cache, usize)>,
    ) -> Tensor<2> {
        let attended = self.attention.forward(self.attention_norm.forward(stream.clone()), pass, cache);
        let stream = stream + attended;
        stream.clone() + self.mlp.forward(self.mlp_norm.forward(stream))
    }
}
