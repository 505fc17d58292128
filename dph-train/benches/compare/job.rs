//! The jobs: what both sides work on, as token ids.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use dph_core::CandidateSet;
use dph_data::{Mixture, Task, TaskData, TaskLoadOptions, draw_distractor};
use dph_eval::Model;
use dph_train::ExperimentFile;
use serde_json::{Value, json};

use crate::generation::{self, Generation};
use crate::ours;

/// The experiments of the training jobs.
const HEAD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare/head.toml");
const FINE_TUNE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare/fine_tune.toml");

/// The jobs there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum JobKind {
    /// Log-likelihoods and rewards of questions on long texts.
    Race,
    /// Log-likelihoods and rewards of short beginnings with four long endings.
    Hellaswag,
    /// A head on a frozen model: two epochs over short questions.
    Train,
    /// DPO and a head together, all weights learning: one epoch over questions on long texts.
    FineTune,
    /// Greedy answers to questions on texts, one by one and all together.
    Generate,
}

/// What both sides do.
pub struct Job {
    /// Of its file for the other side.
    pub name: &'static str,
    /// What the table calls it.
    pub title: String,
    /// Tokens of all prompt-and-candidate sequences that the job is about, without padding: of every epoch, in
    /// training. New ones only, in generation.
    pub tokens: usize,
    pub work: Work,
}

/// What there is to do.
pub enum Work {
    Evaluate(Evaluation),
    Train(Training),
    Generate(Generation),
}

/// Candidate sets to be scored.
pub struct Evaluation {
    pub sets: Vec<CandidateSet>,
}

/// Pairs to train a head on.
pub struct Training {
    experiment: &'static str,
    /// What it leaves open, but for the device.
    overrides: Vec<String>,
    /// Root of the data sets.
    pub data: PathBuf,
    /// Weights of the head before the first step.
    pub initial: Vec<f64>,
    /// The whole job for the other side.
    json: Value,
}

impl JobKind {
    pub const ALL: [Self; 5] = [Self::Race, Self::Hellaswag, Self::Train, Self::FineTune, Self::Generate];

    /// The jobs of this kind on rows of `data`, or one part of them in so many.
    pub fn load(
        self,
        part: usize,
        data: &Path,
        model_dir: &Path,
        model: &Model,
    ) -> Result<Vec<Job>, Box<dyn Error>> {
        let size = |whole: usize| (whole / part).max(4);
        Ok(match self {
            Self::Race => vec![evaluation("race", "race_high", "test", size(100), data, model)?],
            Self::Hellaswag => {
                vec![evaluation("hellaswag", "hellaswag", "validation", size(200), data, model)?]
            }
            Self::Train => vec![training("train", HEAD, (size(500), 2), data, model_dir, model)?],
            Self::FineTune => vec![training("fine_tune", FINE_TUNE, (size(16), 1), data, model_dir, model)?],
            Self::Generate => generation::jobs(&load("race_middle", "test", size(8), 0, data, model)?),
        })
    }
}

impl Job {
    /// Name of the job's file for the other side.
    pub fn file(&self) -> String {
        format!("{}.json", self.name)
    }

    /// Writes the token ids for the other side.
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        let set = |set: &CandidateSet| {
            let candidates: Vec<_> = set.candidates.iter().map(|candidate| &candidate.tokens).collect();
            json!({ "prompt": set.prompt, "candidates": candidates })
        };
        let text = match &self.work {
            Work::Evaluate(Evaluation { sets }) => Value::Array(sets.iter().map(set).collect()).to_string(),
            Work::Train(training) => training.json.to_string(),
            Work::Generate(generation) => generation.json().to_string(),
        };
        fs::write(path, text)
    }
}

impl Training {
    /// The experiment on a device.
    pub fn experiment(&self, device: &str) -> Result<ExperimentFile, Box<dyn Error>> {
        let mut overrides = self.overrides.clone();
        overrides.push(format!("device={device:?}"));
        Ok(ExperimentFile::read(self.experiment.as_ref(), &overrides)?)
    }
}

fn evaluation(
    name: &'static str,
    task: &str,
    split: &str,
    limit: usize,
    data: &Path,
    model: &Model,
) -> Result<Job, Box<dyn Error>> {
    let sets = load(task, split, limit, 0, data, model)?;
    let tokens = sets.iter().flat_map(CandidateSet::one_by_one).map(|set| set.packed_len()).sum();
    let title = format!("{} questions of {task}", sets.len());
    Ok(Job { name, title, tokens, work: Work::Evaluate(Evaluation { sets }) })
}

/// The job of an experiment on so many questions for so many epochs.
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

    // The pairs that `dph-train` sees, step by step.
    let mixture = Mixture::new(&[(1.0, sets.len())], asked.seed)?;
    let (mut tokens, mut pairs_of_steps) = (0, Vec::new());
    for step in 0..steps {
        let mut pairs = Vec::new();
        for item in mixture.iter_from((step * stage.batch) as u64).take(stage.batch) {
            let set = &sets[item.row];
            let (Some(gold), Some(other)) = (set.gold, draw_distractor(set, asked.seed, item.epoch)) else {
                return Err(format!("document {} is no pair", set.id).into());
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
