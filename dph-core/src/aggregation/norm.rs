//! The position of layer norms.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig};
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::parameters::{NamedParam, NamedParams};

/// Whether states are normalised before a step, after it, or both. The layer norms are learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NormPlace {
    /// No norm.
    #[default]
    None,
    /// Before the step.
    Pre,
    /// After the step.
    Post,
    /// Before and after the step.
    Both,
}

impl NormPlace {
    /// Whether there is a norm before the step.
    pub fn is_before(self) -> bool {
        matches!(self, NormPlace::Pre | NormPlace::Both)
    }

    /// Whether there is a norm after the step.
    pub fn is_after(self) -> bool {
        matches!(self, NormPlace::Post | NormPlace::Both)
    }

    /// Number of parameters for states of size `d_model`.
    pub(crate) fn parameters(self, d_model: usize) -> usize {
        2 * d_model * (usize::from(self.is_before()) + usize::from(self.is_after()))
    }
}

/// The layer norms around a step.
#[derive(Module, Debug)]
pub(crate) struct Norms {
    before: Option<LayerNorm>,
    after: Option<LayerNorm>,
}

impl Norms {
    pub fn new(place: NormPlace, d_model: usize, device: &Device) -> Self {
        let norm = || LayerNormConfig::new(d_model).init(device);
        Self { before: place.is_before().then(norm), after: place.is_after().then(norm) }
    }

    /// Any shape that ends in `d_model`.
    pub fn before<const D: usize>(&self, states: Tensor<D>) -> Tensor<D> {
        apply(&self.before, states)
    }

    /// Any shape that ends in `d_model`.
    pub fn after<const D: usize>(&self, states: Tensor<D>) -> Tensor<D> {
        apply(&self.after, states)
    }

    pub fn named_params_mut(&mut self, name: &str) -> NamedParams<'_> {
        let before = self.before.as_mut().map(|norm| (format!("{name}.before"), NamedParam::Norm(norm)));
        let after = self.after.as_mut().map(|norm| (format!("{name}.after"), NamedParam::Norm(norm)));
        before.into_iter().chain(after).collect()
    }
}

fn apply<const D: usize>(norm: &Option<LayerNorm>, states: Tensor<D>) -> Tensor<D> {
    match norm {
        Some(norm) => norm.forward(states),
        None => states,
    }
}
