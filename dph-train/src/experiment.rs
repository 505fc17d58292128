//! The experiment file: one TOML file says what is trained, on what, and how it is evaluated.

use std::collections::BTreeMap;
use std::path::PathBuf;

use dph_core::{Aggregation, DphObjective, PoolingKind};
use serde::{Deserialize, Serialize};

use crate::optimiser::DecayTowards;
use crate::schedule::Schedule;

/// A whole experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Name of the experiment, and of its directory in `runs/`.
    pub name: String,
    /// Seed of everything random: initial weights, the order of the data, the choice of distractors, dropout.
    #[serde(default = "defaults::seed")]
    pub seed: u64,
    /// `"flex"`, `"libtorch"`, `"wgpu"`, `"vulkan"` or `"cuda:0"`, as far as the build knows them.
    #[serde(default = "defaults::device")]
    pub device: String,
    /// Root of the data sets: `<root>/<task>/<split>.jsonl` and so on. Also `--data` or `DPH_DATA`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// The language model.
    pub model: Model,
    /// The preference head; needed where a stage has a `dph` objective.
    #[serde(default)]
    pub head: Head,
    /// The stages of training, each starting from the result of the one before.
    #[serde(default, rename = "stage")]
    pub stages: Vec<Stage>,
    /// What is evaluated at the end.
    #[serde(default)]
    pub eval: Eval,
}

/// Where the language model comes from, and what of it learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// A Hugging Face style directory. Either this or `new`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// A new model with random weights: the contents of a `config.json`. Its `vocab_size` comes from the tokenizer
    /// where it is left out. Needs `tokenizer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<toml::Table>,
    /// Directory of the tokenizer of a new model, or `"world"` for one that is built for the synthetic world.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// What of the model learns in a stage that does not say so itself.
    #[serde(default)]
    pub trainable: Trainable,
}

/// What of the language model learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trainable {
    /// Nothing: the backbone is frozen.
    #[default]
    None,
    /// Every weight.
    All,
}

/// The preference head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Head {
    /// Which hidden states the head reads, such as `{ layers = "last", tokens = "end-of-turn" }` or
    /// `{ layers = { weighted = [16, 20, 24] }, tokens = { attention = { layers = ["pool"] } } }`; see
    /// [`Aggregation`].
    pub aggregation: Aggregation,
    /// Whether every component of the vectors is brought to mean 0 and standard deviation 1 over the training data.
    /// Worth it on a frozen model, whose hidden states have a few components that drown the others.
    pub standardise: bool,
    /// `"identity"`, `"bert"`, `"t5"`, `"swiglu-bert"` (or `"swiglu"`), `"swiglu-t5"` or `{ projection = 64 }`.
    pub pooling: PoolingKind,
    /// Dropout probability of the pooling function.
    pub dropout: f64,
    /// Names of the reward heads. The first one is trained by the `dph` objective.
    pub rewards: Vec<String>,
    /// Whether the reward heads have a bias.
    pub bias: bool,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            aggregation: Aggregation::default(),
            standardise: false,
            pooling: PoolingKind::default(),
            dropout: 0.0,
            rewards: vec!["preference".into()],
            bias: false,
        }
    }
}

/// One phase of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Name of the stage, and of its directory in the run.
    pub name: String,
    /// What is minimised.
    pub objective: Objective,
    /// What of the language model learns; without it, what `[model]` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trainable: Option<Trainable>,
    /// Number of optimiser steps.
    pub steps: usize,
    /// Candidate sets in an optimiser step.
    #[serde(default = "defaults::batch")]
    pub batch: usize,
    /// The tasks to train on and their weights: `{ arc_easy = 1.0, "my/task.toml" = 0.5 }`.
    pub mix: BTreeMap<String, f64>,
    /// Which split of the tasks is trained on.
    #[serde(default = "defaults::split")]
    pub split: String,
    /// Use at most so many rows of each task, spread over its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The optimiser.
    #[serde(default)]
    pub optimiser: Optimiser,
    /// How the learning rate goes.
    #[serde(default)]
    pub schedule: Schedule,
    /// Limit of the joint norm of all gradients; 0 for none.
    #[serde(default = "defaults::clip")]
    pub clip: f64,
    /// Which wrong answers a step sees: `"one"`, drawn for each document and epoch, or `"all"`.
    #[serde(default)]
    pub negatives: Negatives,
    /// Validation during training.
    #[serde(default)]
    pub validation: Validation,
    /// Which weights the stage hands on: `"best"` by validation, or `"last"`.
    #[serde(default)]
    pub keep: Keep,
}

/// What a stage minimises: exactly one of these.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// A Direct Preference Head objective on a frozen backbone: `{ dph = { form = "separable", label_smoothing = 0.1 } }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dph: Option<DphObjective>,
    /// The language-model loss on what the model is to say: `{ sft = {} }`. On text tasks this is pre-training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sft: Option<Sft>,
}

/// The language-model loss: mean negative log-probability of the answers' tokens and their end-of-turn tokens.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sft {}

/// The optimiser of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Where weight decay pulls the weights: `"zero"` or `"initial"`.
    pub decay_towards: DecayTowards,
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
        }
    }
}

/// The optimisers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimiserName {
    /// LaProp (arXiv 2002.04839).
    #[default]
    Laprop,
}

/// Which wrong answers of a set are trained against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Negatives {
    /// One, drawn for each document and epoch, as in the paper.
    #[default]
    One,
    /// All of them, each as a pair with the right answer.
    All,
}

/// Validation during training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Validation {
    /// Validate and write a checkpoint every so many steps.
    pub every: usize,
    /// The split; tasks of the mix that lack it are left out.
    pub split: String,
    /// Use at most so many rows of each task; 0 for no validation.
    pub limit: usize,
}

impl Default for Validation {
    fn default() -> Self {
        Self { every: 50, split: "validation".into(), limit: 100 }
    }
}

/// Which weights a stage hands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Those of the best validation; the last ones without validation.
    #[default]
    Best,
    /// The last ones.
    Last,
}

/// The evaluation at the end.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Eval {
    /// Suites, such as `["gpt4all"]`.
    pub suites: Vec<String>,
    /// Single tasks, evaluated on `split`.
    pub tasks: Vec<String>,
    /// The split of `tasks`; without it, what each task says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Use at most so many rows of each task, spread over its file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

mod defaults {
    pub fn seed() -> u64 {
        42
    }

    pub fn device() -> String {
        "flex".into()
    }

    pub fn batch() -> usize {
        64
    }

    pub fn split() -> String {
        "train".into()
    }

    pub fn clip() -> f64 {
        1.0
    }
}
