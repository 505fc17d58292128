//! The feed-forward network of a block.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;

use super::Activation;
use super::product::linear;

/// Elements of the hidden layer that are in memory at a time: 16 MiB, which mostly fit into the CPU cache.
const CHUNK_ELEMENTS: usize = 1 << 22;

/// Fewest tokens of a chunk, so that matrix products stay efficient.
const FEWEST_TOKENS: usize = 1024;

/// A feed-forward network with one hidden layer, with or without a gate (Shazeer, arXiv 2002.05202).
#[derive(Module, Debug)]
pub struct Mlp {
    /// `[d_model, mlp width]`: with a gate, the values and then the gates.
    pub input: Linear,
    /// `[d_ffn, d_model]`.
    pub output: Linear,
    /// The activation.
    #[module(skip)]
    pub activation: Activation,
    /// Whether the activation is a gate.
    pub gated: bool,
}

impl Mlp {
    /// The outputs for states, both `[tokens, d_model]`.
    ///
    /// Without automatic differentiation, states are processed in chunks, so that the hidden layer of all tokens is never in
    /// memory.
    pub fn forward(&self, states: Tensor<2>) -> Tensor<2> {
        let [tokens, _] = states.dims();
        let width = self.input.weight.dims()[1];
        let chunk = (CHUNK_ELEMENTS / width).max(FEWEST_TOKENS);
        if tokens <= chunk || states.device().is_autodiff() {
            return self.forward_chunk(states);
        }
        let chunks = states.split(chunk, 0);
        Tensor::cat(chunks.into_iter().map(|chunk| self.forward_chunk(chunk)).collect(), 0)
    }

    fn forward_chunk(&self, states: Tensor<2>) -> Tensor<2> {
        let hidden = linear(&self.input, states);
        let hidden = if self.gated {
            let d_ffn = hidden.dims()[1] / 2;
            let value = hidden.clone().narrow(1, 0, d_ffn);
            let gate = hidden.narrow(1, d_ffn, d_ffn);
            value * self.activation.forward(gate)
        } else {
            self.activation.forward(hidden)
        };
        linear(&self.output, hidden)
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::LinearConfig;
    use burn::tensor::{Distribution, Tensor};
    use dph_core::testing;

    use super::*;

    #[test]
    fn chunks_change_no_output() {
        let device = testing::device();
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(&device);
        let (d_model, d_ffn) = (4, 2048);
        let mlp = Mlp {
            input: linear(d_model, 2 * d_ffn),
            output: linear(d_ffn, d_model),
            activation: Activation::Silu,
            gated: true,
        };
        // The last chunk is shorter.
        let tokens = 2 * FEWEST_TOKENS + 100;
        let states = Tensor::random([tokens, d_model], Distribution::Default, &device);
        let difference = mlp.forward(states.clone()) - mlp.forward_chunk(states);
        assert!(difference.abs().max().into_scalar::<f32>() < 1e-5);
    }
}
