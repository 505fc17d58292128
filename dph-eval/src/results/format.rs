//! [`Results`]: the contents of `results.json`, the interface for programs that read results.

use std::collections::BTreeMap;
use std::fmt;

use dph_core::Scorer;
use dph_core::terminal::numbers::counted;
use dph_data::Style;
use serde::{Deserialize, Serialize};

use crate::metrics::Estimate;

/// File name of the results in a run or output directory.
pub const RESULTS_FILE: &str = "results.json";

/// The version of the format that this crate writes.
///
/// Format 2 has `std` and `runs`, which format 1 lacks; everything else is the same.
pub const RESULTS_FORMAT: u32 = 2;

/// The results of an evaluation. Values are fractions, never per cent.
///
/// ```json
/// { "format": 2, "name": "smollm2-gpt4all",
///   "results": [ { "task": "arc_easy", "split": "test", "scorer": "loglik-mean", "metric": "accuracy",
///                  "value": 0.412, "stderr": 0.035, "interval": [0.345, 0.48], "documents": 200, "skipped": { "too-long": 3 },
///                  "chance": 0.25 } ],
///   "suites":  [ { "suite": "gpt4all", "scorer": "reward:preference", "value": 0.467, "stderr": 0.012,
///                  "interval": [0.443, 0.491], "p_baseline": 0.003, "chance": 0.357,
///                  "parts": [ { "task": "hellaswag", "split": "validation", "weight": 0.143 } ] } ] }
/// ```
///
/// The mean over runs that differ only in their seed ([`Results::mean`]) has `"stderr": null` and, beside it, `"std"`, the
/// standard deviation over the runs, and `"runs"`, their number. Results of a single run have neither key.
///
/// Unknown keys are ignored when a file is read, so that later versions can add some.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Version of the format: [`RESULTS_FORMAT`], also after a file of an earlier format was read.
    pub format: u32,
    /// The name of the experiment or the model.
    pub name: String,
    /// The style of the documents; absent in files of earlier versions, which are all `chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<Style>,
    /// Number of answered documents before each question; absent if there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub few_shot: usize,
    /// The hash of the preference head ([`Model::head_hash`](crate::Model::head_hash)); absent without one, and in the results of runs,
    /// whose export is beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// One entry for each task and scorer.
    pub results: Vec<TaskResult>,
    /// One entry for each suite and scorer.
    #[serde(default)]
    pub suites: Vec<SuiteResult>,
    /// The weights that were chosen for mixtures; absent without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mixtures: Vec<Mixture>,
    /// The documents that could not be scored, by task and reason; absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unscored: Vec<Unscored>,
}

/// The weight of a mixture of a reward and the mean log-likelihood: `weight · reward / reward_scale + (1 − weight) · loglik /
/// loglik_scale`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mixture {
    /// `mixture:<head>`.
    pub scorer: String,
    /// The weight of the reward, from 0 to 1: the one with the highest accuracy on the training documents.
    pub weight: f64,
    /// Standard deviation of the rewards of a document's candidates, over the training documents.
    pub reward_scale: f64,
    /// Standard deviation of the mean log-likelihoods of a document's candidates, over the training documents.
    pub loglik_scale: f64,
    /// The mean accuracy over the tasks, on the training documents.
    pub accuracy: f64,
    /// Number of training documents.
    pub documents: usize,
}

impl Mixture {
    /// The scorer, given that of the head.
    pub(crate) fn of_reward(&self, reward: &Scorer) -> Scorer {
        let weights = [self.weight / self.reward_scale, (1.0 - self.weight) / self.loglik_scale];
        let terms = weights.into_iter().zip([reward.clone(), Scorer::LoglikMean]).collect();
        Scorer::Sum { name: self.scorer.clone(), terms }
    }
}

/// Documents that could not be scored. They are in no figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unscored {
    /// The task.
    pub task: String,
    /// The split.
    pub split: String,
    /// `too-long` for the context of the model, `no-partner` where the metric is of pairs of prompts, or `not-finite`: a score is NaN or
    /// infinite.
    pub reason: String,
    /// The scorers that are concerned; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scorers: Vec<String>,
    /// The ids of the documents.
    pub documents: Vec<String>,
}

impl fmt::Display for Unscored {
    /// In words, with the first few ids.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        let why = match self.reason.as_str() {
            "too-long" => "too long for the context of the model".to_owned(),
            "no-partner" => "the other prompt of the pair is missing".to_owned(),
            "not-finite" => format!("a score is not finite ({})", self.scorers.join(", ")),
            reason => reason.to_owned(),
        };
        let ids = self.documents.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if self.documents.len() > SHOWN { " and others" } else { "" };
        let count = counted(self.documents.len(), "document");
        write!(f, "{}/{}: {count} not counted, {why}: {ids}{more}", self.task, self.split)
    }
}

/// The metric of one scorer on one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// The task's name.
    pub task: String,
    /// The split.
    pub split: String,
    /// The scorer, such as `loglik-mean` or `reward:<head>`.
    pub scorer: String,
    /// The name of the metric, such as `accuracy`.
    pub metric: String,
    /// The value of the metric: `value`, `stderr`, `std` and `runs`.
    #[serde(flatten)]
    pub measurement: Measurement,
    /// Number of documents that were scored.
    pub documents: usize,
    /// Number of documents that were skipped, by reason.
    #[serde(default)]
    pub skipped: BTreeMap<String, usize>,
    /// Number of documents that were scored without their beginning, because they are longer than the context (style `plain`);
    /// absent if there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub truncated: usize,
    /// The expected value for random choices.
    #[serde(default)]
    pub chance: Option<f64>,
    /// For perplexities, the number of tokens of a window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
}

/// The mean of one scorer over a suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuiteResult {
    /// The suite's name.
    pub suite: String,
    /// The scorer, such as `loglik-mean` or `reward:<head>`.
    pub scorer: String,
    /// The suite's mean: `value`, `stderr`, `std` and `runs`.
    #[serde(flatten)]
    pub measurement: Measurement,
    /// The expected value for random choices.
    #[serde(default)]
    pub chance: Option<f64>,
    /// The tasks of the suite with their share of the mean; absent in files of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<SuitePart>,
}

/// A task of a suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuitePart {
    /// The task's name.
    pub task: String,
    /// The split.
    pub split: String,
    /// Its weight; the weights of a suite have the sum 1. The metrics of a task share its weight equally.
    pub weight: f64,
}

/// A value with its uncertainty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The value.
    pub value: f64,
    /// Its standard error over the documents; null if it is not known (a single document, or a task of a suite without one),
    /// and for a mean over runs.
    pub stderr: Option<f64>,
    /// Its 95 % interval: the bootstrap over the documents, by group where documents share something. Absent where there is no
    /// standard error, and in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// The two-sided p-value of the difference from `loglik-mean` on the same documents, for a task after Holm's correction over the
    /// metrics of all tasks; absent for that scorer, without it, and in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_baseline: Option<f64>,
    /// For a mean over runs: the standard deviation of their values (with n − 1); absent for fewer than two runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<f64>,
    /// For a mean over runs: their number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<usize>,
}

/// The measurement of a single run.
impl From<Estimate> for Measurement {
    fn from(Estimate { value, stderr }: Estimate) -> Self {
        Self { value, stderr, ..Self::default() }
    }
}

pub(crate) fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Results {
    /// Results without any entry.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            format: RESULTS_FORMAT,
            name: name.into(),
            style: None,
            few_shot: 0,
            head: None,
            results: Vec::new(),
            suites: Vec::new(),
            mixtures: Vec::new(),
            unscored: Vec::new(),
        }
    }

    /// The text of `results.json`, indented, with a final newline.
    pub fn to_json(&self) -> String {
        // Plain data with string keys can always be written as JSON.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The text of a sweep's `results.json`, indented, with a final newline.
    pub fn list_to_json(list: &[Self]) -> String {
        serde_json::to_string_pretty(list).unwrap_or_default() + "\n"
    }
}
