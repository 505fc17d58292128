//! `objective`: the training objective of a stage.

use dph_core::{
    Aggregation, ClassifyObjective, DphObjective, DpoObjective, KlObjective, LikelihoodObjective,
    OrpoObjective, OrthogonalityObjective, SftObjective, SimctgObjective, StateSelection, SteerObjective,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The training objective of a stage: the weighted sum of the given objectives. At least one is required.
///
/// A frozen model allows only objectives that train a head; its hidden states are computed once for the whole stage. If the model
/// is trained, all objectives are computed from one forward pass over each set.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// The preference head: `{ dph = { form = "separable", label_smoothing = 0.1 } }`. The other forms are `"contrastive"` and
    /// `"listwise"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dph: Option<DphObjective>,
    /// Direct Preference Optimisation of the language model: `{ dpo = { beta = 0.1, log_probs = "sum" } }`. The reference
    /// model is the model at the beginning of the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpo: Option<DpoObjective>,
    /// Odds Ratio Preference Optimisation of the language model, without a reference model: `{ orpo = {} }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orpo: Option<OrpoObjective>,
    /// A penalty on the divergence of the language model from its state at the beginning of the stage:
    /// `{ kl = { weight = 0.2 } }`. It keeps a copy of the model in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kl: Option<KlObjective>,
    /// The language-modelling loss on the target tokens: `{ sft = {} }`. On text tasks this is pre-training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sft: Option<SftObjective>,
    /// SimCTG, a contrastive loss that lowers the cosine similarity of the hidden states of different tokens of a conversation:
    /// `{ simctg = { margin = 0.5 } }`. It requires `sft`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simctg: Option<SimctgObjective>,
    /// Regression of every reward head on the human rating of the attribute with the same name: `{ steer = {} }`, with
    /// `rewards = ["helpfulness", "verbosity"]` and tasks that have these `attributes`. `{ steer = { probes = 15 } }` also trains the
    /// rewards at 15 random positions of each answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steer: Option<SteerObjective>,
    /// A classifier or regressor of texts, `{ classify = {} }`, on tasks with a table `[classify]`: an encoder such as BERT, or a causal
    /// language model with a layer on its last token. It is the only objective of its stage. The classification layer is always trained,
    /// the other weights as `trainable` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classify: Option<ClassifyObjective>,
    /// A penalty on rewards that order answers unlike the model's own log-likelihoods: `{ likelihood = { weight = 0.1 } }`. It requires
    /// `dph` and acts on the first reward head. The log-likelihoods are those of the model at the beginning of the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likelihood: Option<LikelihoodObjective>,
    /// A penalty that keeps the directions of the reward heads, and the rotation of a moving average, orthonormal:
    /// `{ orthogonality = { weight = 0.01 } }`. It requires `dph` or `steer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orthogonality: Option<OrthogonalityObjective>,
}

impl Objective {
    /// The keys of the given objectives.
    pub fn keys(&self) -> Vec<&'static str> {
        let given = [
            ("dph", self.dph.is_some()),
            ("dpo", self.dpo.is_some()),
            ("orpo", self.orpo.is_some()),
            ("kl", self.kl.is_some()),
            ("sft", self.sft.is_some()),
            ("simctg", self.simctg.is_some()),
            ("steer", self.steer.is_some()),
            ("classify", self.classify.is_some()),
            ("likelihood", self.likelihood.is_some()),
            ("orthogonality", self.orthogonality.is_some()),
        ];
        given.into_iter().filter_map(|(key, given)| given.then_some(key)).collect()
    }

    /// The hidden states of a frozen model that these objectives of a head need.
    pub fn selection(&self, aggregation: &Aggregation) -> StateSelection {
        match self.steer.is_some_and(|steer| steer.probes > 0) {
            true => aggregation.turn_selection(),
            false => aggregation.selection(),
        }
    }

    /// Whether chosen answers are compared with others.
    pub fn compares(&self) -> bool {
        self.dph.is_some() || self.trains_choices()
    }

    /// Whether a preference head is trained.
    pub fn trains_head(&self) -> bool {
        self.dph.is_some() || self.steer.is_some()
    }

    /// Whether answers' log-probabilities under the model at the beginning of the stage are needed.
    pub fn needs_reference(&self) -> bool {
        self.dpo.is_some() || self.likelihood.is_some()
    }

    /// Whether the language model is trained on preferences between answers.
    pub fn trains_choices(&self) -> bool {
        self.dpo.is_some() || self.orpo.is_some() || self.kl.is_some()
    }

    /// Whether the language model's own output is trained.
    pub fn trains_language(&self) -> bool {
        self.sft.is_some() || self.simctg.is_some() || self.trains_choices()
    }
}
