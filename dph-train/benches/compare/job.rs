//! [`Job`]: a job for both sides, as token ids.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use dph_core::CandidateSet;
use dph_train::ExperimentFile;
use serde_json::{Value, json};

use crate::generation::Generation;

/// A job for both sides.
pub struct Job {
    /// Name of the job's file for the other side.
    pub name: &'static str,
    /// The title in the table.
    pub title: String,
    /// Number of tokens of all prompt-and-candidate sequences without padding. Training counts every epoch, generation only new
    /// tokens.
    pub tokens: usize,
    pub work: Work,
}

/// The work of a job.
pub enum Work {
    Evaluate(Evaluation),
    Train(Training),
    Generate(Generation),
}

/// Candidate sets to score.
pub struct Evaluation {
    pub sets: Vec<CandidateSet>,
}

/// Pairs to train a head on.
pub struct Training {
    /// The experiment file.
    pub experiment: &'static str,
    /// Overrides for the experiment file, without the device.
    pub overrides: Vec<String>,
    /// Root of the data sets.
    pub data: PathBuf,
    /// Initial weights of the head.
    pub initial: Vec<f64>,
    /// The job as JSON for the other side.
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
