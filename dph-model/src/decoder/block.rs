//! One block of a decoder.

use burn::module::Module;
use burn::tensor::Tensor;

use super::{Attention, Group, Mlp, Norm, Residual};

/// Attention and a feed-forward network, each with a norm and added to the residual stream.
#[derive(Module, Debug)]
pub struct Block {
    /// Norm of the attention: before it, or after the sum.
    pub attention_norm: Norm,
    /// The attention.
    pub attention: Attention,
    /// Norm of the feed-forward network: before it, or after the sum.
    pub mlp_norm: Norm,
    /// The feed-forward network.
    pub mlp: Mlp,
    /// How both are added to the residual stream.
    #[module(skip)]
    pub residual: Residual,
}

impl Block {
    /// The residual stream after the block with this index, `[tokens of all groups, d_model]` like `stream`, by operations that every
    /// backend supports and that can be differentiated.
    pub fn forward(&self, stream: Tensor<2>, groups: &mut [Group<'_>], index: usize) -> Tensor<2> {
        let mut attend = |states: Tensor<2>| self.attention.forward(states, groups, index);
        match self.residual {
            Residual::PreNorm => {
                let stream = stream.clone() + attend(self.attention_norm.forward(stream));
                stream.clone() + self.mlp.forward(self.mlp_norm.forward(stream))
            }
            Residual::Parallel => {
                let attended = attend(self.attention_norm.forward(stream.clone()));
                stream.clone() + attended + self.mlp.forward(self.mlp_norm.forward(stream))
            }
            Residual::PostNorm => {
                let stream = self.attention_norm.forward(stream.clone() + attend(stream));
                self.mlp_norm.forward(stream.clone() + self.mlp.forward(stream))
            }
        }
    }
}
