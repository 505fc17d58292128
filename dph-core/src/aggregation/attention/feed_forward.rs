//! The feed-forward network of an attention pooling.

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};

use super::AttentionPooling;
use super::adapted::AdaptedLinear;
use crate::parameters::{NamedParams, WeightInit};

/// SwiGLU: `down(up(x) ∘ silu(gate(x)))`.
#[derive(Module, Debug)]
pub(super) struct FeedForward {
    up: AdaptedLinear,
    gate: AdaptedLinear,
    down: AdaptedLinear,
}

impl FeedForward {
    pub fn new(
        config: &AttentionPooling,
        d_model: usize,
        d_ffn: usize,
        init: &mut WeightInit,
        device: &Device,
    ) -> Self {
        let mut linear = |d_in, d_out| AdaptedLinear::new(config, [d_in, d_out], true, init, device);
        Self { up: linear(d_model, d_ffn), gate: linear(d_model, d_ffn), down: linear(d_ffn, d_model) }
    }

    /// `[count, len, d_model]` to the same.
    pub fn forward(&self, states: Tensor<3>, repeat: usize) -> Tensor<3> {
        let gate = activation::silu(self.gate.forward(states.clone(), repeat));
        self.down.forward(self.up.forward(states, repeat) * gate, repeat)
    }

    pub fn named_params_mut(&mut self, name: &str) -> NamedParams<'_> {
        let mut params = self.up.named_params_mut(&format!("{name}.up"));
        params.extend(self.gate.named_params_mut(&format!("{name}.gate")));
        params.extend(self.down.named_params_mut(&format!("{name}.down")));
        params
    }
}
