//! [`BenchForecast`]: the work of an evaluation, without a model.

use std::sync::Arc;

use dph_core::terminal::numbers::counted;
use dph_data::{ChatTokenizer, TaskData};
use dph_model::DecoderConfig;
use serde::Serialize;

use crate::bench::error::BenchError;
use crate::bench::options::BenchOptions;
use crate::bench::plan::{BenchPlan, PlannedTask};
use crate::bench::scored_sets::ScoredSets;
use crate::pass::computed_tokens;

/// The work of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BenchForecast {
    /// The tasks in the order of the plan.
    pub tasks: Vec<TaskForecast>,
    /// Number of documents, with those on which the weights of mixtures are chosen.
    pub documents: usize,
    /// Number of tokens that are computed: of each prompt once for its candidates, and of what several prompts begin with once for
    /// those that share a row.
    pub tokens: usize,
    /// The same, if prompts shared nothing.
    pub tokens_without_sharing: usize,
}

/// The documents of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskForecast {
    /// The task.
    pub task: String,
    /// The split.
    pub split: String,
    /// Number of documents.
    pub documents: usize,
    /// Number of documents that are skipped.
    pub skipped: usize,
    /// Number of tokens of the documents alone, each prompt once for its candidates.
    pub tokens: usize,
}

impl BenchForecast {
    /// The work of a plan for a model with this tokenizer and configuration.
    ///
    /// # Errors
    /// Data that is missing or invalid.
    pub fn new(
        plan: &BenchPlan,
        tokenizer: &ChatTokenizer,
        config: &DecoderConfig,
        options: &BenchOptions,
    ) -> Result<Self, BenchError> {
        let sets = ScoredSets::load(tokenizer, config.context, plan, options, &mut |_| {})?;
        let is_packable = config.is_packable();
        let task = |(planned, data): (&PlannedTask, &Arc<TaskData>)| TaskForecast {
            task: data.task.clone(),
            split: planned.split.clone(),
            documents: documents(data),
            skipped: data.skipped.total(),
            tokens: computed_tokens(is_packable, &data.sets, None),
        };
        Ok(Self {
            tasks: plan.tasks.iter().zip(&sets.tasks).map(task).collect(),
            documents: sets.tasks.iter().chain(&sets.training).map(|data| documents(data)).sum(),
            tokens: computed_tokens(is_packable, sets.all(), Some(options.token_budget)),
            tokens_without_sharing: computed_tokens(is_packable, sets.all(), None),
        })
    }

    /// The forecast in words, with a line for each task.
    pub fn to_text(&self) -> String {
        let line = |task: &TaskForecast| {
            let skipped = match task.skipped {
                0 => String::new(),
                count => format!(" ({count} skipped)"),
            };
            let (documents, tokens) = (counted(task.documents, "document"), counted(task.tokens, "token"));
            format!("{}/{}: {documents}{skipped}, {tokens}\n", task.task, task.split)
        };
        let lines: String = self.tasks.iter().map(line).collect();
        let shared = match self.tokens_without_sharing - self.tokens {
            0 => String::new(),
            _ => format!(", of {} if their prompts shared nothing", self.tokens_without_sharing),
        };
        let (documents, tokens) = (counted(self.documents, "document"), counted(self.tokens, "token"));
        format!("{lines}computed for {documents}: {tokens}{shared}\n")
    }
}

/// Number of documents; a whole text has several sets.
fn documents(data: &TaskData) -> usize {
    let windows: usize = data.whole_texts.texts.iter().map(|text| text.sets.len()).sum();
    data.sets.len() - windows + data.whole_texts.texts.len()
}
