//! [`JobKind`]: the kinds of jobs, and their creation from rows of a data set.

use std::error::Error;
use std::path::Path;

use dph_core::{Candidate, CandidateSet};
use dph_data::{Mixture, Task, TaskData, TaskLoadOptions, draw_distractor};
use dph_eval::Model;
use dph_train::ExperimentFile;
use serde_json::json;

use crate::generation::Generation;
use crate::job::{Evaluation, Job, Training, Work};
use crate::ours;

/// The experiments of the training jobs.
const HEAD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare/head.toml");
const FINE_TUNE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare/fine_tune.toml");
/// Number of new tokens per prompt.
const TOKENS: usize = 64;
/// Number of tokens of a prompt of [`JobKind::BestOf`].
const PROMPT: usize = 1000;
/// Number of answers to it.
const ANSWERS: usize = 16;

/// The kinds of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum JobKind {
    /// Log-likelihoods and rewards of questions on long texts.
    Race,
    /// Log-likelihoods and rewards of short contexts with four long endings.
    Hellaswag,
    /// Log-likelihoods and rewards of sixteen answers to each prompt of 1,000 tokens.
    BestOf,
    /// Training of a head on a frozen model: two epochs over short questions.
    Train,
    /// Training of all weights with DPO and a head: one epoch over questions on long texts.
    FineTune,
    /// Greedy generation of answers to questions on texts, one by one and in one batch.
    Generate,
}

impl JobKind {
    pub const ALL: [Self; 6] =
        [Self::Race, Self::Hellaswag, Self::BestOf, Self::Train, Self::FineTune, Self::Generate];

    /// The jobs of this kind on rows of `data`, or on a fraction of these rows.
    pub fn load(
        self,
        part: usize,
        data: &Path,
        model_dir: &Path,
        model: &Model,
    ) -> Result<Vec<Job>, Box<dyn Error>> {
        let size = |whole: usize| (whole / part).max(4);
        Ok(match self {
            Self::Race => {
                let sets = load("race_high", "test", size(100), 0, data, model)?;
                vec![evaluation("race", sets, "questions of race_high")]
            }
            Self::Hellaswag => {
                let sets = load("hellaswag", "validation", size(200), 0, data, model)?;
                vec![evaluation("hellaswag", sets, "questions of hellaswag")]
            }
            Self::BestOf => {
                let texts = load("race_high", "test", 60, 0, data, model)?;
                vec![evaluation("best_of", best_of(&texts, (8 / part).max(1)), "prompts with 16 answers")]
            }
            Self::Train => vec![training("train", HEAD, (size(500), 2), data, model_dir, model)?],
            Self::FineTune => vec![training("fine_tune", FINE_TUNE, (size(16), 1), data, model_dir, model)?],
            Self::Generate => generations(&load("race_middle", "test", size(8), 0, data, model)?),
        })
    }
}

fn evaluation(name: &'static str, sets: Vec<CandidateSet>, what: &str) -> Job {
    let tokens = sets.iter().flat_map(CandidateSet::one_by_one).map(|set| set.packed_len()).sum();
    let title = format!("{} {what}", sets.len());
    Job { name, title, tokens, work: Work::Evaluate(Evaluation { sets }) }
}

/// Sets of [`ANSWERS`] answers of 60 to 135 tokens to a prompt of [`PROMPT`] tokens, all cut from the tokens of `texts`.
fn best_of(texts: &[CandidateSet], count: usize) -> Vec<CandidateSet> {
    let mut tokens = texts.iter().flat_map(|set| &set.prompt).copied().cycle();
    let sets = (0..count).map(|index| CandidateSet {
        id: index.to_string(),
        prompt: tokens.by_ref().take(PROMPT).collect(),
        candidates: (0..ANSWERS)
            .map(|answer| {
                let length = 60 + 5 * answer;
                Candidate::new(tokens.by_ref().take(length).collect(), length - 1)
            })
            .collect(),
        ..CandidateSet::default()
    });
    sets.collect()
}

/// The jobs that answer the questions one by one and in one batch.
fn generations(sets: &[CandidateSet]) -> Vec<Job> {
    let count = sets.len();
    let job = |name, batch, how: &str| Job {
        name,
        title: format!("{count} answers of {TOKENS} tokens, {how}"),
        tokens: count * TOKENS,
        work: Work::Generate(Generation {
            prompts: sets.iter().map(|set| set.prompt.clone()).collect(),
            batch,
            tokens: TOKENS,
        }),
    };
    vec![job("generate_one", 1, "by one"), job("generate_all", count, "together")]
}

/// The job that trains an experiment on a number of questions for a number of epochs.
fn training(
    name: &'static str,
    experiment: &'static str,
    (limit, epochs): (usize, usize),
    data: &Path,
    model_dir: &Path,
    model: &Model,
) -> Result<Job, Box<dyn Error>> {
    let asked = ExperimentFile::read(experiment.as_ref(), &[])?.experiment;
    let [stage] = &asked.stages[..] else { return Err(format!("{experiment} must have one stage").into()) };
    let Some(task) = stage.mix.keys().next() else {
        return Err(format!("{experiment} must have a task").into());
    };
    let sets = load(task, &stage.split, limit, asked.seed, data, model)?;
    let steps = (epochs * sets.len() / stage.batch).max(1);
    let overrides = vec![
        format!("model.path={:?}", model_dir.display().to_string()),
        format!("stage.{}.limit={limit}", stage.name),
        format!("stage.{}.steps={steps}", stage.name),
    ];

    // The pairs of `dph-train`, step by step.
    let mixture = Mixture::new(&[(1.0, sets.len())], asked.seed)?;
    let (mut tokens, mut pairs_of_steps) = (0, Vec::new());
    for step in 0..steps {
        let mut pairs = Vec::new();
        for item in mixture.iter_from((step * stage.batch) as u64).take(stage.batch) {
            let set = &sets[item.row];
            let (Some(gold), Some(other)) = (set.gold, draw_distractor(set, asked.seed, item.epoch)) else {
                return Err(format!("document {} is not a pair", set.id).into());
            };
            let sequence = |index: usize| [&set.prompt[..], &set.candidates[index].tokens].concat();
            let (chosen, rejected) = (sequence(gold), sequence(other));
            tokens += chosen.len() + rejected.len();
            pairs.push(json!({ "prompt": set.prompt.len(), "chosen": chosen, "rejected": rejected }));
        }
        pairs_of_steps.push(pairs);
    }
    let initial = ours::initial_head(model, asked.seed)?;
    let dph = stage.objective.dph.ok_or(format!("{experiment} must have a dph objective"))?;
    let json = json!({
        "steps": pairs_of_steps,
        "initial": initial,
        "layer": asked.head.aggregation.layers,
        "label_smoothing": dph.label_smoothing,
        "beta": stage.objective.dpo.map(|dpo| dpo.beta),
        "clip": stage.clip,
        "lr": stage.optimiser.lr,
        "betas": stage.optimiser.betas,
        "eps": stage.optimiser.eps,
        "weight_decay": stage.optimiser.weight_decay,
    });
    let what = if stage.objective.dpo.is_some() { "DPO+DPH" } else { "head" };
    let title = format!("{what}, {epochs} epochs of {} pairs", sets.len());
    let work = Work::Train(Training { experiment, overrides, data: data.to_owned(), initial, json });
    Ok(Job { name, title, tokens, work })
}

fn load(
    task: &str,
    split: &str,
    limit: usize,
    seed: u64,
    data: &Path,
    model: &Model,
) -> Result<Vec<CandidateSet>, Box<dyn Error>> {
    let max_len = Some(model.backbone.context());
    let options = TaskLoadOptions { limit: Some(limit), seed, max_len, ..TaskLoadOptions::default() };
    Ok(TaskData::load(&Task::find(task)?, data, split, &model.tokenizer, &options)?.sets)
}
