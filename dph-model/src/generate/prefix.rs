//! [`Prefix`]: a computed prompt, which later prompts may begin with.

use burn::tensor::Tensor;
use dph_core::Layer;

use crate::decoder::Cache;

/// A prompt with its keys and values and the states of some layers. Prompts that begin with the same tokens need not compute these again,
/// see [`Backbone::prompts_together`](crate::Backbone::prompts_together). Copies share their memory.
#[derive(Debug, Clone)]
pub struct Prefix {
    pub(super) tokens: Vec<u32>,
    pub(super) layers: Vec<Layer>,
    /// Of a single row, without padding.
    pub(super) cache: Cache,
    /// `[1, tokens, d_model]` for each of the layers.
    pub(super) states: Vec<Tensor<3>>,
}

impl Prefix {
    /// The tokens.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The layers whose states are kept.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Memory of keys, values and states in bytes.
    pub fn bytes(&self) -> usize {
        let states =
            self.states.iter().map(|states| states.dims().iter().product::<usize>() * size_of::<f32>());
        self.cache.bytes() + states.sum::<usize>()
    }
}
