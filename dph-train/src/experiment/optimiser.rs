//! `optimiser`: how a stage's weights are updated.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::optimiser::DecayTowards;

/// The optimiser of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Optimiser {
    /// `"laprop"`.
    pub name: OptimiserName,
    /// Peak learning rate.
    pub lr: f64,
    /// Decay rates of the two averages.
    pub betas: [f64; 2],
    /// Added to the denominator.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Where weight decay pulls the weights: `"zero"`, or `"initial"`, those at the beginning of the stage (prior
    /// regularisation).
    pub decay_towards: DecayTowards,
    /// Parameters of the language model and of the head that do not decay: patterns of tensor names, such as
    /// `["norm", "bias", "embed"]`.
    pub no_decay: Vec<String>,
    /// What is different for the head in a stage in which the language model learns as well.
    pub head: HeadOptimiser,
}

/// Settings of the optimiser for the head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HeadOptimiser {
    /// The head's learning rate is so many times that of the language model.
    pub lr_factor: f64,
    /// Its weight decay; without it that of the language model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Where its weight decay pulls; without it as for the language model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decay_towards: Option<DecayTowards>,
}

impl Default for HeadOptimiser {
    fn default() -> Self {
        Self { lr_factor: 1.0, weight_decay: None, decay_towards: None }
    }
}

impl Default for Optimiser {
    fn default() -> Self {
        Self {
            name: OptimiserName::Laprop,
            lr: 3e-4,
            betas: [0.9, 0.95],
            eps: 1e-8,
            weight_decay: 0.0,
            decay_towards: DecayTowards::Zero,
            no_decay: Vec::new(),
            head: HeadOptimiser::default(),
        }
    }
}

/// The optimisers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OptimiserName {
    /// LaProp (arXiv 2002.04839).
    #[default]
    Laprop,
}
