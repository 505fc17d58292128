//! [`bench`]: a model on benchmark tasks.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use dph_core::{CandidateScores, CandidateSet, Scorer};
use dph_data::{Style, TaskData};

use crate::bench::error::BenchError;
use crate::bench::examples::examples;
use crate::bench::mixture::fit_mixture;
use crate::bench::options::BenchOptions;
use crate::bench::plan::{BenchPlan, PlannedTask};
use crate::bench::scored_sets::ScoredSets;
use crate::bench::summary::summarise;
use crate::bench::task_results::{NOT_FINITE, task_results};
use crate::bench::unscored::unscored;
use crate::bench::whole_texts::{SCORER, text_documents};
use crate::cache::{ScoreCache, ScoreKey};
use crate::model::Model;
use crate::pass::{Progress, ScoreError, check_sets};
use crate::results::{DOCUMENTS_FILE, DocumentScores, Example, Mixture, Results, ResultsError, Unscored};
use crate::score::{plan as plan_pass, score_pass};
use crate::scorer_choice::{ScorerChoice, ScorerError};
use crate::scoring::HeadRef;
use crate::unconditional::add_unconditional;

/// The outcome of a benchmark.
#[derive(Debug, Clone, PartialEq)]
pub struct Bench {
    /// The metrics.
    pub results: Results,
    /// The scores of every document, task by task.
    pub documents: Vec<DocumentScores>,
    /// The texts of the documents on which a head and the likelihood disagree most.
    pub examples: Vec<Example>,
    /// The names of the scorers that choose, also where no document has a gold answer.
    pub scorers: Vec<String>,
    /// What was unusual, in words; not written to files.
    pub warnings: Vec<String>,
}

/// Progress of a benchmark.
#[derive(Debug, Clone, Copy)]
pub struct BenchProgress<'a> {
    /// What is being done.
    pub step: BenchStep<'a>,
    /// Progress of all tasks together; totals are known once all are loaded.
    pub overall: Progress,
}

/// What a benchmark is doing.
#[derive(Debug, Clone, Copy)]
pub enum BenchStep<'a> {
    /// The rows of a task are being read.
    Loading(&'a PlannedTask),
    /// The documents of all tasks are being scored, the longest first.
    Scoring(&'a [PlannedTask]),
}

/// Evaluates a model on every task of a plan.
///
/// All data is loaded before the first document is scored, so that a missing file is found at once. Then one plan is made for the
/// documents of all tasks, by length. So the batch of a document, and with it the last digits of its scores (below 1e-6), depend on
/// the tasks that are evaluated together. Documents that exceed the model's context are skipped and counted.
///
/// # Errors
/// Data that is missing or invalid; rewards without a head.
pub fn bench(
    model: &Model,
    plan: &BenchPlan,
    options: &BenchOptions,
    progress: &mut dyn FnMut(BenchProgress<'_>),
) -> Result<Bench, BenchError> {
    if options.scorers.iter().any(ScorerChoice::rewards) && model.head.is_none() {
        return Err(BenchError::NoHead { model: model.name.clone() });
    }
    let head = model.head.as_ref().map(|(head, config)| (head, config));
    let subject = Subject { name: &model.name, head };
    let mut found = evaluate(model, &[subject], plan, options, progress)?.remove(0);
    found.results.head = model.head_hash();
    Ok(found)
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
    if options.style == Style::Chat && !model.tokenizer.has_chat() {
        return Err(BenchError::NoChat { model: model.name.clone() });
    }
    let scoring = options.scoring(plan);
    if scoring.rewards {
        subjects.iter().try_for_each(|subject| subject.check_style(options.style))?;
    }
    // A head that does not exist is found before anything is loaded.
    for subject in subjects {
        subject.scorers(options, &|_| Some(Scorer::LoglikMean))?;
    }
    let context = model.backbone.context();
    let sets = ScoredSets::load(&model.tokenizer, context, plan, options, &mut |planned| {
        progress(BenchProgress { step: BenchStep::Loading(planned), overall: Progress::default() });
    })?;
    for (planned, data) in plan.tasks.iter().zip(&sets.tasks) {
        check_sets(&model.backbone, &data.sets).map_err(|source| planned.unscorable(source))?;
    }
    let pass = plan_pass(model, sets.all(), &scoring)?;
    let heads: Vec<HeadRef> = subjects.iter().filter_map(|subject| subject.head).collect();
    let mut cache = options.cache.as_deref().map(|path| ScoreCache::open(path, options.fresh));
    let key = match &cache {
        Some(_) => ScoreKey::new(model, &heads, &scoring).map_err(|error| BenchError::Model(error.into()))?,
        None => None,
    };
    let step = BenchStep::Scoring(&plan.tasks);
    let mut scores = score_pass(
        model,
        &heads,
        &pass,
        &scoring,
        key.as_ref().zip(cache.as_mut()),
        &mut |_| true,
        &mut |overall| {
            progress(BenchProgress { step, overall });
        },
    )?;
    let mut others = scores.split_off(sets.evaluated().count());
    let of_training = others.split_off(sets.without.len());
    let answers = scores.iter_mut().zip(sets.is_answer());
    let answers = answers.filter_map(|(scores, is_answer)| is_answer.then_some(scores));
    add_unconditional(answers, &others);

    let (mut found, mut first) = (Vec::new(), 0);
    for subject in subjects {
        let rewards = subject.rewards(scoring.rewards);
        let own = first..first + rewards.len();
        first = own.end;
        let (scores, of_training) = (only(&scores, &own), only(&of_training, &own));
        let mut bench = Bench::new(subject.name);
        bench.results.style = Some(options.style);
        bench.results.few_shot = options.few_shot;
        // Whole texts alone have no use for one.
        let choices = if scoring.rewards { &options.scorers[..] } else { &[] };
        let mixtures = subject.mixtures(choices, &by_task(&sets.training, &of_training))?;
        let mixture = |head: &str| {
            let fitted = mixtures.iter().find(|(mixture, _)| mixture.scorer == mixture_name(head));
            fitted.map(|(_, scorer)| scorer.clone())
        };
        let scorers = subject.scorers(options, &mixture)?;
        for (planned, (data, scores)) in plan.tasks.iter().zip(by_task(&sets.tasks, &scores)) {
            bench.add(planned, data, rewards, &scorers, scores);
        }
        bench.examples = examples(&bench.documents, rewards, plan, &sets, &model.tokenizer);
        summarise(&mut bench.results, &bench.documents, plan, rewards, &scorers);
        bench.results.mixtures = mixtures.into_iter().map(|(mixture, _)| mixture).collect();
        bench.warnings.extend(cache.iter().flat_map(|cache| cache.problems().to_vec()));
        found.push(bench);
    }
    Ok(found)
}

impl<'a> Subject<'a> {
    /// Whether its head was trained on documents of this style.
    fn check_style(&self, style: Style) -> Result<(), BenchError> {
        match self.head {
            Some((_, config)) if config.style != style => {
                Err(BenchError::Style { name: self.name.to_owned(), head: config.style, style })
            }
            _ => Ok(()),
        }
    }

    /// The names of its rewards, if they are computed.
    fn rewards(&self, computed: bool) -> &'a [String] {
        self.head.filter(|_| computed).map_or(&[], |(_, config)| &config.rewards)
    }

    /// Its scorers, each once.
    fn scorers(
        &self,
        options: &BenchOptions,
        mixture: &dyn Fn(&str) -> Option<Scorer>,
    ) -> Result<Vec<Scorer>, ScorerError> {
        let mut scorers = Vec::new();
        for choice in &options.scorers {
            for scorer in choice.scorers(options.style, self.rewards(true), mixture)? {
                if !scorers.contains(&scorer) {
                    scorers.push(scorer);
                }
            }
        }
        Ok(scorers)
    }

    /// Its mixtures, with the weights that training documents choose.
    fn mixtures(
        &self,
        choices: &[ScorerChoice],
        training: &[(&TaskData, &[Vec<CandidateScores>])],
    ) -> Result<Vec<(Mixture, Scorer)>, BenchError> {
        let mut mixtures: Vec<(Mixture, Scorer)> = Vec::new();
        for head in choices.iter().filter_map(ScorerChoice::mixture) {
            let name = mixture_name(head);
            if mixtures.iter().any(|(mixture, _)| mixture.scorer == name) {
                continue;
            }
            let index = self.rewards(true).iter().position(|reward| reward == head).unwrap_or_default();
            let reward = Scorer::Reward { head: head.to_owned(), index };
            let fitted = fit_mixture(name, &reward, training);
            mixtures.push(fitted.ok_or_else(|| BenchError::NoTraining { head: head.to_owned() })?);
        }
        Ok(mixtures)
    }
}

/// The name of a mixture in results.
fn mixture_name(head: &str) -> String {
    ScorerChoice::Mixture { head: head.to_owned() }.to_string()
}

/// The scores of each task, of the scores of all.
fn by_task<'a>(
    tasks: &'a [Arc<TaskData>],
    mut scores: &'a [Vec<CandidateScores>],
) -> Vec<(&'a TaskData, &'a [Vec<CandidateScores>])> {
    let of_task = |data: &'a Arc<TaskData>| {
        let (of_task, rest) = scores.split_at(data.sets.len());
        scores = rest;
        (&**data, of_task)
    };
    tasks.iter().map(of_task).collect()
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
        Self {
            results: Results::new(name),
            documents: Vec::new(),
            examples: Vec::new(),
            scorers: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Adds a task: the results by each scorer, and the scores of every document. Documents that cannot be scored are named.
    fn add(
        &mut self,
        planned: &PlannedTask,
        data: &TaskData,
        rewards: &[String],
        scorers: &[Scorer],
        scores: &[Vec<CandidateScores>],
    ) {
        match planned.is_of_texts() {
            true => {
                self.add_documents(planned, data, rewards, &[SCORER], text_documents(planned, data, scores))
            }
            false => {
                let documents = choices(planned, data, rewards, scores);
                scorers.iter().for_each(|scorer| self.add_scorer(&scorer.to_string()));
                self.add_documents(planned, data, rewards, scorers, documents);
            }
        }
    }

    /// As [`add`](Self::add), with the scores of the documents.
    pub(crate) fn add_documents(
        &mut self,
        planned: &PlannedTask,
        data: &TaskData,
        rewards: &[String],
        scorers: &[Scorer],
        documents: Vec<DocumentScores>,
    ) {
        let results = task_results(planned, data, rewards, scorers, &documents);
        self.results.results.extend(results);
        let unscored = unscored(planned, data, rewards, scorers, &documents);
        self.warnings.extend(unscored.iter().map(Unscored::to_string));
        self.results.unscored.extend(unscored);
        self.documents.extend(documents);
    }

    pub(crate) fn add_scorer(&mut self, name: &str) {
        if !self.scorers.iter().any(|scorer| scorer == name) {
            self.scorers.push(name.to_owned());
        }
    }

    /// Reads what [`save`](Self::save) wrote into a directory.
    ///
    /// # Errors
    /// A file is missing or has invalid content.
    pub fn load(dir: &Path) -> Result<Self, ResultsError> {
        Self::beside(Results::load(dir)?, dir)
    }

    /// Adds to these results what is beside their file in a directory.
    ///
    /// # Errors
    /// `documents.jsonl` is missing or has other documents than the results count, or a file has invalid content.
    pub fn beside(results: Results, dir: &Path) -> Result<Self, ResultsError> {
        let mut bench = Self::new("");
        bench.documents = DocumentScores::load_all(dir)?;
        check_counts(&results, &bench.documents, dir)?;
        bench.examples = Example::load_all(dir)?;
        results.results.iter().for_each(|result| bench.add_scorer(&result.scorer));
        bench.results = results;
        Ok(bench)
    }

    /// Writes `results.json`, `documents.jsonl` and, if there are examples, `examples.jsonl` into a directory that exists, each
    /// atomically, the results last.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), ResultsError> {
        DocumentScores::save_all(&self.documents, dir)?;
        Example::save_all(&self.examples, dir)?;
        self.results.save(dir)
    }
}

/// Compares the number of documents of each task with what its results count.
fn check_counts(results: &Results, documents: &[DocumentScores], dir: &Path) -> Result<(), ResultsError> {
    let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
    for document in documents {
        *counts.entry((&document.task, &document.split)).or_default() += 1;
    }
    for result in &results.results {
        let (task, split) = (result.task.as_str(), result.split.as_str());
        let found = counts.get(&(task, split)).copied().unwrap_or_default();
        let counted = result.documents + result.skipped.get(NOT_FINITE).copied().unwrap_or_default();
        if found != counted {
            let path = dir.join(DOCUMENTS_FILE);
            let (task, split) = (task.into(), split.into());
            return Err(ResultsError::OtherDocuments { path, task, split, found, counted });
        }
    }
    Ok(())
}

/// The documents of a task, each a choice.
pub(crate) fn choices(
    planned: &PlannedTask,
    data: &TaskData,
    rewards: &[String],
    scores: &[Vec<CandidateScores>],
) -> Vec<DocumentScores> {
    let document = |(set, scores): (&CandidateSet, &Vec<CandidateScores>)| DocumentScores {
        kind: planned.task.kind,
        group: data.groups.get(&set.id).cloned(),
        right: data.right.get(&set.id).cloned().unwrap_or_default(),
        score: data.scores.get(&set.id).copied(),
        ..DocumentScores::new(&planned.task.name, &planned.split, set, scores, rewards)
    };
    data.sets.iter().zip(scores).map(document).collect()
}

impl PlannedTask {
    pub(crate) fn unscorable(&self, source: ScoreError) -> BenchError {
        BenchError::Score { task: self.task.name.clone(), split: self.split.clone(), source }
    }
}
