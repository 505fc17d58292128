//! `[[stage]]`: one phase of training.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Objective, Optimiser, Trainable, defaults};
use crate::optimiser::Schedule;

/// One phase of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Name of the stage, and of its directory in the run.
    pub name: String,
    /// What is minimised.
    pub objective: Objective,
    /// What of the language model learns; without it, what `[model]` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trainable: Option<Trainable>,
    /// Parameters that do not learn all the same: patterns of tensor names, such as `["layers.0.", "norm"]`. `*` stands for
    /// anything, and a part of the name is enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freeze: Vec<String>,
    /// Tokens that are added to tokenizer and embeddings before the stage, such as `["<|im_start|>", "<|im_end|>"]`. Those
    /// that are there already are left as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add_tokens: Vec<String>,
    /// Number of optimiser steps.
    pub steps: usize,
    /// Candidate sets in an optimiser step.
    #[serde(default = "defaults::batch")]
    pub batch: usize,
    /// At most so many tokens, padding included, go through a model that learns at once; the gradients of a step are
    /// accumulated. More need more memory. A single set may have more.
    #[serde(default = "defaults::micro_batch")]
    pub micro_batch: usize,
    /// Whether the blocks of a model that learns run again for their gradients, one after the other, instead of keeping what
    /// they compute: less memory, more time.
    #[serde(default)]
    pub gradient_checkpointing: bool,
    /// The tasks to train on and their weights: `{ arc_easy = 1.0, "my/task.toml" = 0.5 }`.
    pub mix: BTreeMap<String, f64>,
    /// Which split of the tasks is trained on.
    #[serde(default = "defaults::split")]
    pub split: String,
    /// Use at most so many rows of each task, spread over its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Hold out this share of the prompts of each task, such as `0.1`, for data without a validation split. The rows of a
    /// prompt stay together, and the experiment's seed chooses. Training does not see the held-out rows; they take the place
    /// of `validation.split`, and the evaluation at the end gives the accuracy on them with its 95 % interval. With
    /// `keep = "best"` they also choose the weights, which makes that accuracy a little too high; `keep = "last"` avoids this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdout: Option<f64>,
    /// The optimiser.
    #[serde(default)]
    pub optimiser: Optimiser,
    /// How the learning rate goes.
    #[serde(default)]
    pub schedule: Schedule,
    /// Limit of the joint norm of all gradients; 0 for none.
    #[serde(default = "defaults::clip")]
    pub clip: f64,
    /// Which answers of a conversation a language model learns to give where nothing is compared: `"all"`, or the `"last"` one
    /// alone, to which the earlier ones are examples.
    #[serde(default)]
    pub answers: Answers,
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

/// Which answers of a conversation are learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    /// All of the assistant's.
    #[default]
    All,
    /// The last one.
    Last,
}

/// Which wrong answers of a set are trained against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Negatives {
    /// One, drawn for each document and epoch, as in the paper.
    #[default]
    One,
    /// All of them, each as a pair with the right answer.
    All,
}

/// Validation during training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Those of the best validation; the last ones without validation.
    #[default]
    Best,
    /// The last ones.
    Last,
}
