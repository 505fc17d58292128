//! Normalisation of hidden states.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::{NormConfig, NormKind};

/// A root-mean-square or layer norm over the last axis.
#[derive(Module, Debug)]
pub struct Norm {
    /// Scale, `[d]`.
    pub weight: Param<Tensor<1>>,
    /// What is added at the end, `[d]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// Which normalisation, and its constant.
    #[module(skip)]
    pub config: NormConfig,
}

impl Norm {
    /// The normalised states, `[tokens, d]`.
    pub fn forward(&self, states: Tensor<2>) -> Tensor<2> {
        let centred = match self.config.kind {
            NormKind::Rms => states,
            NormKind::Layer => states.clone() - states.mean_dim(1),
        };
        let variance = centred.clone().square().mean_dim(1);
        let normal = centred / (variance + self.config.epsilon).sqrt();
        let scaled = normal * self.weight.val().unsqueeze();
        match &self.bias {
            Some(bias) => scaled + bias.val().unsqueeze(),
            None => scaled,
        }
    }
}
