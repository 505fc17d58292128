//! `[[stage]]`: one phase of training.

use std::collections::BTreeMap;

use dph_core::Style;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BatchGrowth, Objective, Optimiser, Trainable, defaults};
use crate::optimiser::Schedule;

/// One phase of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Name of the stage, and of its directory in the run.
    pub name: String,
    /// The training objective.
    pub objective: Objective,
    /// The weights of the language model that are trained. The default is `trainable` of `[model]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trainable: Option<Trainable>,
    /// Parameters that `trainable` includes but that are not trained: patterns of tensor names, such as `["layers.0.", "norm"]`. `*`
    /// matches any text, and a pattern may match a part of the name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freeze: Vec<String>,
    /// Tokens that are added to the tokenizer and the embeddings before the stage, such as `["<|im_start|>", "<|im_end|>"]`. Tokens
    /// that already exist are not changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add_tokens: Vec<String>,
    /// Number of optimiser steps.
    pub steps: usize,
    /// Number of candidate sets in an optimiser step.
    #[serde(default = "defaults::batch")]
    pub batch: usize,
    /// A batch that grows: `{ from = 8, steps = 200 }` uses 8 candidate sets in the first step, and linearly more in each of the first
    /// 200 steps, up to `batch`. The default is the whole `batch` in every step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_growth: Option<BatchGrowth>,
    /// Maximum number of tokens, including padding, in one forward and backward pass through a trained model; the gradients of a step
    /// are accumulated. A higher value needs more memory. A single set may have more tokens.
    #[serde(default = "defaults::micro_batch")]
    pub micro_batch: usize,
    /// Whether the blocks of a trained model are recomputed one by one in the backward pass instead of storing their activations. This
    /// saves memory and costs time.
    #[serde(default)]
    pub gradient_checkpointing: bool,
    /// The style of the documents: `"chat"`, conversations, or `"plain"`, text that is continued, in the wording of
    /// lm-evaluation-harness. The default is `"chat"` if the tokenizer has a chat format, else `"plain"`. A head can only be evaluated
    /// in the style that it was trained in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<Style>,
    /// The tasks to train on and their weights: `{ arc_easy = 1.0, "my/task.toml" = 0.5 }`.
    #[serde(default)]
    pub mix: BTreeMap<String, f64>,
    /// Weights by size with a cap: the weight of every task in `mix` is multiplied by the number of its training sets, but at most by
    /// this number, so that large tasks are drawn more often and the largest do not displace the others (T5, arXiv 1910.10683, section
    /// 3.5.2). The default is the weights as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_cap: Option<usize>,
    /// The split of the tasks for training.
    #[serde(default = "defaults::split")]
    pub split: String,
    /// Maximum number of rows of each task; they are spread evenly over its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Share of the prompts of each task that is held out from training, such as `0.1`, for data without a validation split. All rows
    /// of a prompt are held out together; the choice depends on the experiment's seed. The held-out rows replace
    /// `validation.split`, and the evaluation at the end reports the accuracy on them with its 95 % interval. With `keep = "best"`
    /// they also select the weights, which makes that accuracy slightly too high; `keep = "last"` avoids this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdout: Option<f64>,
    /// The optimiser.
    #[serde(default)]
    pub optimiser: Optimiser,
    /// The schedule of the learning rate.
    #[serde(default)]
    pub schedule: Schedule,
    /// Maximum norm of all gradients together; 0 disables clipping.
    #[serde(default = "defaults::clip")]
    pub clip: f64,
    /// Which answers of a conversation are targets of the language-modelling loss: `"all"`, or only the `"last"` one, with the earlier
    /// answers as context. A stage that compares answers or trains a head always uses only the last one.
    #[serde(default)]
    pub answers: Answers,
    /// The wrong answers that a step uses: `"one"`, drawn for each document and epoch, or `"all"`.
    #[serde(default)]
    pub negatives: Negatives,
    /// Validation during training.
    #[serde(default)]
    pub validation: Validation,
    /// The weights that the stage exports for the next stage and the evaluation: `"best"` by validation, or `"last"`.
    #[serde(default)]
    pub keep: Keep,
}

impl Stage {
    /// Number of candidate sets in a step (from 1).
    pub(crate) fn batch_of(&self, step: usize) -> usize {
        self.batch_growth.map_or(self.batch, |growth| growth.size(step, self.batch))
    }

    /// Number of candidate sets in all steps.
    pub(crate) fn sets_in_steps(&self) -> usize {
        let growing = self.batch_growth.map_or(0, |growth| growth.steps.min(self.steps));
        let of_growth: usize = (1..=growing).map(|step| self.batch_of(step)).sum();
        of_growth.saturating_add((self.steps - growing).saturating_mul(self.batch))
    }
}

/// The answers of a conversation that are trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    /// All answers of the assistant.
    #[default]
    All,
    /// The last answer.
    Last,
}

/// The wrong answers of a set that are used in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Negatives {
    /// One wrong answer, drawn for each document and epoch, as in the paper.
    #[default]
    One,
    /// All wrong answers, each as a pair with the right answer.
    All,
}

/// Validation during training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Validation {
    /// Number of steps between validations; a checkpoint is written at the same time.
    pub every: usize,
    /// The split for validation; tasks of the mix without this split are skipped. If no task has the split, and it is not the default,
    /// this is an error.
    pub split: String,
    /// Maximum number of rows of each task; 0 disables validation.
    pub limit: usize,
}

impl Default for Validation {
    fn default() -> Self {
        Self { every: 50, split: "validation".into(), limit: 100 }
    }
}

/// The weights that a stage exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// The weights with the best validation; without validation, the last weights.
    #[default]
    Best,
    /// The weights after the last step.
    Last,
}
