//! [`Job`]: what both sides work on, as token ids.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use dph_core::CandidateSet;
use dph_train::ExperimentFile;
use serde_json::{Value, json};

use crate::generation::Generation;

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
    /// The experiment's file.
    pub experiment: &'static str,
    /// What the file leaves open, except for the device.
    pub overrides: Vec<String>,
    /// Root of the data sets.
    pub data: PathBuf,
    /// Weights of the head before the first step.
    pub initial: Vec<f64>,
    /// The whole job for the other side.
    pub json: Value,
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
