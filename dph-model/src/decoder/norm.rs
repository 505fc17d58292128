//! Normalisation of hidden states.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// A normalisation of hidden states.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormConfig {
    /// The kind of normalisation.
    pub kind: NormKind,
    /// Constant added to the mean square or variance.
    pub epsilon: f64,
    /// Whether a learned bias is added at the end.
    pub bias: bool,
}

/// The kind of normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// Root mean square (Zhang and Sennrich, arXiv 1910.07467).
    Rms,
    /// Mean and variance (Ba et al., arXiv 1607.06450).
    Layer,
}

/// A root-mean-square or layer norm over the last axis.
#[derive(Module, Debug)]
pub struct Norm {
    /// Scale, `[d]`.
    pub weight: Param<Tensor<1>>,
    /// The bias, `[d]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// The kind of normalisation and its epsilon.
    #[module(skip)]
    pub config: NormConfig,
}

impl NormConfig {
    /// A layer norm with a bias.
    pub fn layer(epsilon: f64) -> Self {
        Self { kind: NormKind::Layer, epsilon, bias: true }
    }

    /// A root-mean-square norm.
    pub fn rms(epsilon: f64) -> Self {
        Self { kind: NormKind::Rms, epsilon, bias: false }
    }
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
