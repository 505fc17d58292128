//! [`bench`]: a model on benchmark tasks.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use dph_core::CandidateScores;
use dph_data::{DataError, TaskData};

use crate::bench::options::BenchOptions;
use crate::bench::plan::{BenchPlan, PlannedTask};
use crate::bench::task_results::{suite_result, task_results};
use crate::model::{Model, ModelError};
use crate::pass::{Progress, ScoreError};
use crate::results::{DocumentScores, Results, ResultsError, SuiteResult};
use crate::score::{HeadRef, Scoring, score_heads, workload};
use crate::scorer_choice::ScorerChoice;

/// The outcome of a benchmark.
#[derive(Debug, Clone, PartialEq)]
pub struct Bench {
    /// The metrics.
    pub results: Results,
    /// The scores of every document, task by task.
    pub documents: Vec<DocumentScores>,
}

/// Progress of a benchmark.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BenchProgress<'a> {
    /// The current task.
    pub task: &'a str,
    /// Its split.
    pub split: &'a str,
    /// Whether its rows are being read; they are scored later.
    pub loading: bool,
    /// Progress of all tasks together; totals are known once all are loaded.
    pub overall: Progress,
}

/// Why a benchmark cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// Rewards are requested from a model without a preference head.
    #[error("`{model}` has no preference head; train one with `dph-train`, or use the scorer `log`")]
    NoHead {
        /// The model.
        model: String,
    },
    /// A head does not fit the model.
    #[error("{name}: {source}")]
    Head {
        /// The name of the head.
        name: String,
        /// Why it does not fit.
        source: Box<ModelError>,
    },
    /// The data cannot be loaded.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A document does not fit the model.
    #[error("{task}/{split}: {source}")]
    Score {
        /// The task.
        task: String,
        /// The split.
        split: String,
        /// Which and why.
        source: ScoreError,
    },
}

/// Evaluates a model on every task of a plan.
///
/// All data is loaded before the first document is scored, so that a missing file is found at once. Documents that exceed the
/// model's context are skipped and counted.
///
/// # Errors
/// Data that is missing or invalid; rewards without a head.
pub fn bench(
    model: &Model,
    plan: &BenchPlan,
    options: &BenchOptions,
    progress: &mut dyn FnMut(BenchProgress<'_>),
) -> Result<Bench, BenchError> {
    if options.scorers.rewards() && model.head.is_none() {
        return Err(BenchError::NoHead { model: model.name.clone() });
    }
    let head = model.head.as_ref().map(|(head, config)| (head, config));
    let subject = Subject { name: &model.name, head };
    Ok(evaluate(model, &[subject], plan, options, progress)?.remove(0))
}

/// What is evaluated: a name and, optionally, a preference head on the model.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub name: &'a str,
    pub head: Option<HeadRef<'a>>,
}

/// Evaluates every subject in one pass over the model.
pub(crate) fn evaluate(
    model: &Model,
    subjects: &[Subject<'_>],
    plan: &BenchPlan,
    options: &BenchOptions,
    progress: &mut dyn FnMut(BenchProgress<'_>),
) -> Result<Vec<Bench>, BenchError> {
    let scoring = Scoring {
        token_budget: options.token_budget,
        log_likelihood: options.scorers.log_likelihood(),
        rewards: options.scorers.rewards(),
    };
    let mut overall = Progress::default();
    let mut loaded = Vec::new();
    for (index, planned) in plan.tasks.iter().enumerate() {
        let (task, split) = (planned.task.name.as_str(), planned.split.as_str());
        progress(BenchProgress { task, split, loading: true, overall });
        let data = match options.loaded.get(index) {
            Some(data) => Arc::clone(data),
            None => Arc::new(planned.load(&model.tokenizer, model.backbone.context(), options)?),
        };
        let work = workload(model, &data.sets, &scoring).map_err(|source| planned.unscorable(source))?;
        overall.total += work.total;
        overall.tokens_total += work.tokens_total;
        loaded.push(data);
    }

    let heads: Vec<HeadRef> = subjects.iter().filter_map(|subject| subject.head).collect();
    let mut found: Vec<Bench> = subjects.iter().map(|subject| Bench::new(subject.name)).collect();
    for (planned, data) in plan.tasks.iter().zip(&loaded) {
        let (task, split) = (planned.task.name.as_str(), planned.split.as_str());
        let before = overall;
        let scores = score_heads(model, &heads, &data.sets, &scoring, &mut |of_task| {
            overall.done = before.done + of_task.done;
            overall.tokens_done = before.tokens_done + of_task.tokens_done;
            progress(BenchProgress { task, split, loading: false, overall });
        })
        .map_err(|source| planned.unscorable(source))?;
        let mut first = 0;
        for (subject, bench) in subjects.iter().zip(&mut found) {
            let rewards = subject.rewards(options.scorers);
            let own = first..first + rewards.len();
            first = own.end;
            bench.add(planned, data, rewards, options.scorers, &only(&scores, &own));
        }
    }
    for (subject, bench) in subjects.iter().zip(&mut found) {
        let scorers = options.scorers.scorers(subject.rewards(options.scorers));
        for suite in &plan.suites {
            let of_suite = scorers.iter().filter_map(|by| suite_result(suite, plan, &bench.results, by));
            let of_suite: Vec<SuiteResult> = of_suite.collect();
            bench.results.suites.extend(of_suite);
        }
    }
    Ok(found)
}

impl<'a> Subject<'a> {
    /// The names of its rewards.
    fn rewards(&self, scorers: ScorerChoice) -> &'a [String] {
        self.head.filter(|_| scorers.rewards()).map_or(&[], |(_, config)| &config.rewards)
    }
}

/// The scores with a range of their rewards.
fn only(scores: &[Vec<CandidateScores>], rewards: &Range<usize>) -> Vec<Vec<CandidateScores>> {
    let of_candidate = |scores: &CandidateScores| CandidateScores {
        rewards: scores.rewards.get(rewards.clone()).unwrap_or_default().to_vec(),
        ..*scores
    };
    scores.iter().map(|of_set| of_set.iter().map(of_candidate).collect()).collect()
}

impl Bench {
    /// An outcome without results.
    pub fn new(name: impl Into<String>) -> Self {
        Self { results: Results::new(name), documents: Vec::new() }
    }

    /// Adds a task: the results by each scorer, and the scores of every document.
    fn add(
        &mut self,
        planned: &PlannedTask,
        data: &TaskData,
        rewards: &[String],
        scorers: ScorerChoice,
        scores: &[Vec<CandidateScores>],
    ) {
        let scorers = scorers.scorers(rewards);
        let results = scorers.iter().flat_map(|scorer| task_results(planned, data, scorer, scores));
        self.results.results.extend(results);
        let documents = data.sets.iter().zip(scores).map(|(set, scores)| DocumentScores {
            score: data.scores.get(&set.id).copied(),
            ..DocumentScores::new(&planned.task.name, &planned.split, set, scores, rewards)
        });
        self.documents.extend(documents);
    }

    /// Reads what [`save`](Self::save) wrote into a directory.
    ///
    /// # Errors
    /// A file is missing or has invalid content.
    pub fn load(dir: &Path) -> Result<Self, ResultsError> {
        Ok(Self { results: Results::load(dir)?, documents: DocumentScores::load_all(dir)? })
    }

    /// Writes `results.json` and `documents.jsonl` into a directory that exists, each atomically, the results last.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), ResultsError> {
        DocumentScores::save_all(&self.documents, dir)?;
        self.results.save(dir)
    }
}

impl PlannedTask {
    fn unscorable(&self, source: ScoreError) -> BenchError {
        BenchError::Score { task: self.task.name.clone(), split: self.split.clone(), source }
    }
}
