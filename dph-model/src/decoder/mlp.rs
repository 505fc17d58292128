//! The feed-forward network of a block.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;

use super::Activation;
use super::product::linear;

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
    pub fn forward(&self, states: Tensor<2>) -> Tensor<2> {
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
