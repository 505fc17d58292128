//! [`BenchOptions`]: how a benchmark is run.

use std::path::PathBuf;
use std::sync::Arc;

use dph_data::{Style, TaskData, TextLayout};

use crate::scorer_choice::ScorerChoice;
use crate::scoring::Scoring;

/// Options of a benchmark.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchOptions {
    /// The root of the data sets: `<data>/<task>/<split>.jsonl`.
    pub data: PathBuf,
    /// The style of the documents.
    pub style: Style,
    /// How texts are laid out for a classifier. `None` loads prompts with candidates.
    pub classify: Option<TextLayout>,
    /// Maximum number of documents of each task: a seeded sample. `None` takes all.
    pub limit: Option<usize>,
    /// Number of answered documents of the train split before each question.
    pub few_shot: usize,
    /// Whether all questions of a task have the same examples.
    pub same_examples: bool,
    /// The scorers; one that is named twice counts once.
    pub scorers: Vec<ScorerChoice>,
    /// Maximum number of tokens in a batch, see [`Scoring::token_budget`].
    pub token_budget: usize,
    /// Seed of the sample and of the few-shot examples.
    pub seed: u64,
    /// The data of the first tasks of the plan, in its order, if they are already loaded
    /// ([`PlannedTask::load`](crate::PlannedTask::load)). The other tasks are loaded.
    pub loaded: Vec<Arc<TaskData>>,
    /// The file for the scores of finished batches, which continues an evaluation that was killed. `None` keeps none.
    pub cache: Option<PathBuf>,
    /// Whether what this file contains is removed first.
    pub fresh: bool,
}

impl BenchOptions {
    /// The default options: all documents of the data sets in `data` as conversations, no examples, these scorers.
    pub fn new(data: impl Into<PathBuf>, scorers: ScorerChoice) -> Self {
        let token_budget = Scoring::default().token_budget;
        Self {
            data: data.into(),
            style: Style::Chat,
            classify: None,
            limit: None,
            few_shot: 0,
            same_examples: false,
            scorers: vec![scorers],
            token_budget,
            seed: 0,
            loaded: Vec::new(),
            cache: None,
            fresh: false,
        }
    }
}
