//! `optimiser`: the optimiser of a stage.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::optimiser::DecayTowards;

/// The optimiser of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Optimiser {
    /// The optimiser: `"laprop"` or `"adamw"`.
    pub name: OptimiserName,
    /// Peak learning rate.
    pub lr: f64,
    /// Decay rates of the moving averages of the gradients and of their squares.
    pub betas: [f64; 2],
    /// A small number that is added to the denominator for numerical stability.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// The target of weight decay: `"zero"`, or `"initial"`, the weights at the beginning of the stage (prior
    /// regularisation).
    pub decay_towards: DecayTowards,
    /// Parameters of the language model and of the head without weight decay: patterns of tensor names, such as
    /// `["norm", "bias", "embed"]`.
    pub no_decay: Vec<String>,
    /// Settings for the head in a stage that also trains the language model.
    pub head: HeadOptimiser,
    /// Settings for what is between the hidden states and the reward heads, the aggregation and the pooling function of the head, or
    /// for the pooler of a classifier. The default of each is the setting of `head`; in a stage on a frozen model it is that of the
    /// stage.
    #[serde(skip_serializing_if = "PartOptimiser::is_default")]
    pub pooler: PartOptimiser,
    /// Settings for the adapters of `trainable = "lora"`. The default of each is the setting of the stage.
    #[serde(skip_serializing_if = "PartOptimiser::is_default")]
    pub adapters: PartOptimiser,
}

/// Settings of the optimiser for the head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HeadOptimiser {
    /// The learning rate of the head as a multiple of the learning rate of the language model.
    pub lr_factor: f64,
    /// Weight decay of the head. The default is the weight decay of the language model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// The target of the weight decay of the head. The default is the target of the language model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decay_towards: Option<DecayTowards>,
}

/// Settings of the optimiser for a part of the trained parameters.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PartOptimiser {
    /// The learning rate of the part as a multiple of `lr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr_factor: Option<f64>,
    /// Weight decay of the part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// The target of the weight decay of the part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decay_towards: Option<DecayTowards>,
}

impl PartOptimiser {
    /// Whether the part has no settings of its own.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for HeadOptimiser {
    fn default() -> Self {
        Self { lr_factor: 1.0, weight_decay: None, decay_towards: None }
    }
}

impl Optimiser {
    /// The target of weight decay of the stage and of each part that has one of its own.
    pub(crate) fn decays_towards(&self) -> [Option<DecayTowards>; 4] {
        let Self { decay_towards, head, pooler, adapters, .. } = self;
        [Some(*decay_towards), head.decay_towards, pooler.decay_towards, adapters.decay_towards]
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
            pooler: PartOptimiser::default(),
            adapters: PartOptimiser::default(),
        }
    }
}

/// The available optimisers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OptimiserName {
    /// LaProp (arXiv 2002.04839).
    #[default]
    Laprop,
    /// AdamW (arXiv 1711.05101), whose weight decay is towards zero. The defaults of transformers are `lr = 5e-5`, `betas = [0.9, 0.999]`
    /// and no weight decay.
    Adamw,
}
