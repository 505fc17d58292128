//! The experiment file: one TOML file that defines model, training data, training and evaluation.

mod batch_growth;
pub(crate) mod checks;
pub(crate) mod error;
pub(crate) mod file;
mod found;
mod head;
mod model;
mod new_model;
mod objective;
mod optimiser;
mod overrides;
pub(crate) mod parse;
mod places;
mod splits;
mod stage;
pub(crate) mod sweep;
mod tokenizer_source;

use std::path::{Path, PathBuf};

use dph_core::{Ending, PreferenceHeadConfig, Style};
use dph_data::ChatTokenizer;
use dph_eval::ScorerChoice;
use dph_model::DecoderConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use batch_growth::BatchGrowth;
pub use head::Head;
pub use model::{Model, Trainable};
pub use objective::Objective;
pub use optimiser::{HeadOptimiser, Optimiser, OptimiserName, PartOptimiser};
pub use splits::Splits;
pub use stage::{Answers, Keep, Negatives, Stage, Validation};
pub use tokenizer_source::{TokenizerSource, TrainedTokenizer};

/// An experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Name of the experiment, and of its directory in `runs/`.
    pub name: String,
    /// Seed of all random numbers: initial weights, the order of the data, the choice of distractors, dropout.
    #[serde(default = "defaults::seed")]
    pub seed: u64,
    /// The device: `"flex"`, `"libtorch"`, `"wgpu"`, `"vulkan"` or `"cuda:0"`, if the build supports it.
    #[serde(default = "defaults::device")]
    pub device: String,
    /// Root directory of the data sets: `<root>/<task>/<split>.jsonl` and so on. It can also be set with `--data` or `DPH_DATA`. With
    /// `"hf:"` or `"hf:DIR"`, missing splits are downloaded from the Hugging Face Hub into the user's cache or DIR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// The language model.
    pub model: Model,
    /// The preference head. It is used by stages with a `dph` or `steer` objective.
    #[serde(default)]
    pub head: Head,
    /// The stages of training. Each stage starts from the weights that the previous stage exports.
    #[serde(default, rename = "stage")]
    pub stages: Vec<Stage>,
    /// The evaluation at the end.
    #[serde(default)]
    pub eval: Eval,
    /// The swept keys: the keys of `--set` with lists of values, such as `"head.pooling" = ["identity", "bert"]`, `seed = [1, 2]` or
    /// `"stage.dph.optimiser.lr" = [1e-3, 3e-3]`. Every combination is run, in the order of the file. The key `task` is a list of tasks, each
    /// of which is trained on alone.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    #[schemars(with = "SweptKeys")]
    pub sweep: toml::Table,
}

impl Experiment {
    /// Completes the paths of tasks and suites, which are relative to the folder of the experiment file.
    fn resolve_paths(&mut self, folder: &Path) {
        let resolve = |name: &mut String| *name = dph_data::resolve_path(name, folder);
        for stage in &mut self.stages {
            let mix = std::mem::take(&mut stage.mix);
            stage.mix = mix
                .into_iter()
                .map(|(task, weight)| (dph_data::resolve_path(&task, folder), weight))
                .collect();
        }
        self.eval.tasks.iter_mut().chain(&mut self.eval.suites).for_each(resolve);
        if let Some(TokenizerSource::Trained(TrainedTokenizer { task, .. })) = &mut self.model.tokenizer {
            resolve(task);
        }
    }

    /// The weights of the language model that a stage trains.
    pub(crate) fn trainable(&self, stage: &Stage) -> Trainable {
        stage.trainable.unwrap_or(self.model.trainable)
    }

    /// Whether the last stage trains a classifier.
    pub(crate) fn classifies(&self) -> bool {
        self.stages.last().is_some_and(|stage| stage.objective.classify.is_some())
    }

    /// The style of a stage, for its tokenizer.
    pub(crate) fn stage_style(&self, stage: &Stage, tokenizer: &ChatTokenizer) -> Style {
        stage.style.unwrap_or_else(|| tokenizer.default_style())
    }

    /// The style of the evaluation, if the experiment names it.
    pub(crate) fn named_eval_style(&self) -> Option<Style> {
        self.eval.style.or_else(|| self.stages.last()?.style)
    }

    /// The style of the evaluation of a model with this tokenizer.
    pub(crate) fn eval_style(&self, tokenizer: &ChatTokenizer) -> Style {
        self.named_eval_style().unwrap_or_else(|| tokenizer.default_style())
    }

    /// The configuration of the head for a language model, and for documents in a style.
    pub(crate) fn head_config(&self, backbone: &DecoderConfig, style: Style) -> PreferenceHeadConfig {
        let head = &self.head;
        PreferenceHeadConfig {
            d_model: backbone.d_model,
            d_ffn: backbone.d_ffn,
            aggregation: head.aggregation.clone(),
            standardise: head.standardise,
            pooling: head.pooling,
            dropout: head.dropout,
            rewards: head.rewards.clone(),
            bias: head.bias,
            style,
            ending: Ending::Turn,
        }
    }
}

/// The JSON schema of experiment files: every key with its documentation, for editors that support JSON schemas.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Experiment).to_value()
}

/// `[sweep]` in the schema.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "`[sweep]` is read with its spans, and only described here")]
struct SweptKeys {
    /// Tasks, such as `["cola", "sst2"]`. For each one, the stages without `mix` are trained on it alone, and the model is evaluated on it, on
    /// the splits that `suites` of `[eval]` name for it. What differs only by the task is one row of the table, with the means of these suites
    /// over the tasks that have rows.
    task: Option<Vec<String>>,
    #[serde(flatten)]
    others: std::collections::BTreeMap<String, Vec<serde_json::Value>>,
}

/// The evaluation at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Eval {
    /// Suites, such as `["gpt4all"]`. In a sweep over tasks, the means of its rows.
    pub suites: Vec<String>,
    /// Single tasks, evaluated on `split`.
    pub tasks: Vec<String>,
    /// The split of `tasks`, or a list of splits, such as `["validation", "validation_mismatched"]`. The default is the evaluation split of
    /// each task.
    #[serde(skip_serializing_if = "Splits::is_default")]
    pub split: Splits,
    /// The style of the documents, `"chat"` or `"plain"`. The default is the style of the last stage or, without stages, `"chat"` if
    /// the tokenizer has a chat format, else `"plain"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub style: Option<Style>,
    /// Maximum number of rows of each task; they are spread evenly over its file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The scorers, such as `["both", "loglik-relative", "mixture:preference"]`, see `dph-eval bench --help`. The default is the
    /// log-likelihood and, for a model with a head, its rewards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scorers: Vec<ScorerChoice>,
    /// Stages after which the model is also evaluated, such as `["base", "sft"]`. `base` is the model before the first stage. The
    /// table has rows for each of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Seed of the sample that `limit` selects. It does not depend on the experiment's seed, so runs with different seeds are
    /// evaluated on the same documents.
    pub seed: u64,
}

impl Default for Eval {
    fn default() -> Self {
        Self {
            suites: Vec::new(),
            tasks: Vec::new(),
            split: Splits::default(),
            style: None,
            limit: None,
            scorers: Vec::new(),
            after: Vec::new(),
            seed: defaults::seed(),
        }
    }
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

    pub fn micro_batch() -> usize {
        4096
    }

    pub fn split() -> String {
        "train".into()
    }

    pub fn clip() -> f64 {
        1.0
    }
}
