//! `objective`: what a stage minimises.

use dph_core::{
    DphObjective, DpoObjective, KlObjective, OrpoObjective, OrthogonalityObjective, SftObjective,
    SimctgObjective, SteerObjective,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a stage minimises: the weighted sum of the objectives that are given, at least one.
///
/// On a frozen model only what trains a head can be, and the model is computed once for the whole stage. On a model that learns, all
/// of them come from one forward pass over each set.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// The preference head: `{ dph = { form = "separable", label_smoothing = 0.1 } }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dph: Option<DphObjective>,
    /// Direct Preference Optimisation of the language model: `{ dpo = { beta = 0.1, log_probs = "sum" } }`. Its reference
    /// is the model at the beginning of the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpo: Option<DpoObjective>,
    /// Odds Ratio Preference Optimisation of the language model, without a reference: `{ orpo = {} }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orpo: Option<OrpoObjective>,
    /// A penalty on how far the language model moves away from its beginning: `{ kl = { weight = 0.2 } }`. It keeps a copy of
    /// the model in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kl: Option<KlObjective>,
    /// The language-model loss on what the model is to say: `{ sft = {} }`. On text tasks this is pre-training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sft: Option<SftObjective>,
    /// Hidden states of the tokens of a conversation are to point into different directions: `{ simctg = { margin = 0.5 } }`,
    /// beside `sft`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simctg: Option<SimctgObjective>,
    /// Every reward head learns the values that people gave to the attribute of its name: `{ steer = {} }`, with
    /// `rewards = ["helpfulness", "verbosity"]` and tasks that have these `attributes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steer: Option<SteerObjective>,
    /// The directions of the reward heads, and the rotation of a moving average, are to stay orthonormal:
    /// `{ orthogonality = { weight = 0.01 } }`, beside `dph` or `steer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orthogonality: Option<OrthogonalityObjective>,
}

impl Objective {
    /// The keys of the objectives that are given.
    pub fn keys(&self) -> Vec<&'static str> {
        let given = [
            ("dph", self.dph.is_some()),
            ("dpo", self.dpo.is_some()),
            ("orpo", self.orpo.is_some()),
            ("kl", self.kl.is_some()),
            ("sft", self.sft.is_some()),
            ("simctg", self.simctg.is_some()),
            ("steer", self.steer.is_some()),
            ("orthogonality", self.orthogonality.is_some()),
        ];
        given.into_iter().filter_map(|(key, given)| given.then_some(key)).collect()
    }

    /// Whether chosen answers are compared with others.
    pub fn compares(&self) -> bool {
        self.dph.is_some() || self.trains_choices()
    }

    /// Whether a preference head is trained.
    pub fn trains_head(&self) -> bool {
        self.dph.is_some() || self.steer.is_some()
    }

    /// Whether the language model is to prefer some answers to others.
    pub fn trains_choices(&self) -> bool {
        self.dpo.is_some() || self.orpo.is_some() || self.kl.is_some()
    }

    /// Whether the language model's own output is trained.
    pub fn trains_language(&self) -> bool {
        self.sft.is_some() || self.simctg.is_some() || self.trains_choices()
    }
}
