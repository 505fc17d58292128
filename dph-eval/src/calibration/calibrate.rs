//! [`Calibration`]: the values of scorers beside what is right, over the documents of a run.

use std::collections::BTreeSet;
use std::path::Path;

use dph_core::{CandidateScores, Scorer, Style};
use serde::{Deserialize, Serialize};

use crate::bench::Bench;
use crate::calibration::error::CalibrationError;
use crate::calibration::length::{LengthCorrelation, LengthGroup, by_length};
use crate::calibration::reliability::{Reliability, probabilities};
use crate::calibration::threshold::Threshold;
use crate::model::{MANIFEST_FILE, Model, head_hash_of_run};
use crate::outcomes::{heads, prediction, scorer_named};
use crate::results::DocumentScores;

/// The version of the format of `calibration.json`.
pub(super) const FORMAT: u32 = 1;

/// The calibration of the scorers of a run, on its documents with a right answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Version of the format.
    pub format: u32,
    /// The name of the results.
    pub name: String,
    /// The hash of their preference head ([`Model::head_hash`]); absent if there is none, and in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// The style of the documents; absent in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<Style>,
    /// The tasks whose documents are used, as `task/split`.
    pub tasks: Vec<String>,
    /// One entry for each scorer.
    pub scorers: Vec<ScorerCalibration>,
}

/// The calibration of a scorer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScorerCalibration {
    /// The scorer.
    pub scorer: String,
    /// The number of documents.
    pub documents: usize,
    /// The number of documents with a candidate that has no finite value; they are left out.
    pub without_value: usize,
    /// The threshold for candidates that are good enough; null if no value separates right and wrong ones.
    pub threshold: Option<Threshold>,
    /// The values as probabilities; null without documents.
    pub reliability: Option<Reliability>,
    /// The accuracy by the length of the right answer.
    pub lengths: Vec<LengthGroup>,
    /// The correlation of the values of candidates with their lengths.
    pub length_correlation: LengthCorrelation,
}

impl Calibration {
    /// The calibration of a run or of an output directory of `dph-eval bench`, see [`new`](Self::new).
    ///
    /// # Errors
    /// As [`new`](Self::new); results that cannot be read.
    pub fn of_run(dir: &Path, scorers: &[String], tasks: &[String]) -> Result<Self, CalibrationError> {
        let mut found = Self::new(&Bench::load(dir)?, scorers, tasks)?;
        if found.head.is_none() && dir.join(MANIFEST_FILE).is_file() {
            // The results of a run can be kept without its model.
            found.head = head_hash_of_run(dir).ok().flatten();
        }
        Ok(found)
    }

    /// The calibration of these scorers, by name, or of all scorers of the run; on these tasks, by name, or on all.
    ///
    /// # Errors
    /// A scorer or task that the run does not have, or no documents with a right answer among several candidates.
    pub fn new(bench: &Bench, scorers: &[String], tasks: &[String]) -> Result<Self, CalibrationError> {
        let unique = |names: &mut dyn Iterator<Item = &String>| -> Vec<String> {
            let mut seen = BTreeSet::new();
            names.filter(|name| seen.insert(*name)).cloned().collect()
        };
        let all = unique(&mut bench.documents.iter().map(|document| &document.task));
        if let Some(unknown) = tasks.iter().find(|task| !all.contains(task)) {
            return Err(CalibrationError::new("task", unknown, &all));
        }
        let is_used = |document: &&DocumentScores| {
            document.gold.is_some()
                && document.candidates.len() > 1
                && (tasks.is_empty() || tasks.contains(&document.task))
        };
        let documents: Vec<&DocumentScores> = bench.documents.iter().filter(is_used).collect();
        if documents.is_empty() {
            return Err(CalibrationError::NoDocuments);
        }
        let known = unique(&mut bench.results.results.iter().map(|result| &result.scorer));
        let heads = heads(&bench.documents);
        let chosen = if scorers.is_empty() { &known } else { scorers };
        let scorers = chosen.iter().map(|name| {
            let scorer = scorer_named(name, &bench.results, &heads).filter(|_| known.contains(name));
            let scorer = scorer.ok_or_else(|| CalibrationError::new("scorer", name, &known))?;
            Ok(calibrate(&documents, &heads, &scorer))
        });
        let scorers = scorers.collect::<Result<_, CalibrationError>>()?;
        let tasks: Vec<String> =
            documents.iter().map(|document| format!("{}/{}", document.task, document.split)).collect();
        let tasks = unique(&mut tasks.iter());
        let head = bench.results.head.clone();
        let style = bench.results.style;
        Ok(Self { format: FORMAT, name: bench.results.name.clone(), head, style, tasks, scorers })
    }

    /// Whether a model has the head that the calibration was made with. A calibration that does not say which it was fits every head.
    ///
    /// # Errors
    /// Another head, or none.
    pub fn check_head(&self, model: &Model) -> Result<(), CalibrationError> {
        let found = model.head_hash();
        match &self.head {
            Some(head) if found.as_ref() != Some(head) => Err(CalibrationError::OtherHead {
                name: self.name.clone(),
                head: head.clone(),
                model: model.name.clone(),
                found: found.unwrap_or_else(|| "none".into()),
            }),
            _ => Ok(()),
        }
    }

    /// Whether the calibration is of documents in a style. One that does not say its style fits every style.
    ///
    /// # Errors
    /// Another style.
    pub fn check_style(&self, style: Style) -> Result<(), CalibrationError> {
        match self.style {
            Some(found) if found != style => {
                Err(CalibrationError::OtherStyle { name: self.name.clone(), found, style })
            }
            _ => Ok(()),
        }
    }

    /// The threshold of a scorer, by name.
    ///
    /// # Errors
    /// The scorer is not calibrated, or has no threshold.
    pub fn threshold(&self, scorer: &str) -> Result<f64, CalibrationError> {
        let found = self.scorers.iter().find(|found| found.scorer == scorer);
        let threshold = found.and_then(|found| found.threshold.as_ref());
        let none = || CalibrationError::NoThreshold { name: self.name.clone(), scorer: scorer.into() };
        threshold.map(|threshold| threshold.value).ok_or_else(none)
    }
}

fn calibrate(documents: &[&DocumentScores], heads: &[String], scorer: &Scorer) -> ScorerCalibration {
    let (mut candidates, mut choices, mut by_tokens, mut lengths) = (vec![], vec![], vec![], vec![]);
    let mut without_value = 0;
    for document in documents {
        let scores: Vec<CandidateScores> =
            document.candidates.iter().map(|candidate| candidate.scores(heads)).collect();
        let values: Vec<f64> = scores.iter().map(|scores| scorer.value(scores)).collect();
        let (Some(shares), Some(gold)) = (probabilities(&values), document.gold) else {
            without_value += 1;
            continue;
        };
        let picked = prediction(document.kind, scorer, &scores);
        let right = picked.is_some_and(|picked| document.right_candidates().contains(&picked));
        choices.push((shares.into_iter().fold(0.0, f64::max), right));
        by_tokens.push((scores.get(gold).map_or(0, |scores| scores.tokens), right));
        for (index, (value, scores)) in values.into_iter().zip(&scores).enumerate() {
            candidates.push((value, document.right_candidates().contains(&index)));
            lengths.push((value, scores.tokens));
        }
    }
    ScorerCalibration {
        scorer: scorer.to_string(),
        documents: choices.len(),
        without_value,
        threshold: Threshold::new(candidates),
        reliability: Reliability::new(choices),
        lengths: by_length(by_tokens),
        length_correlation: LengthCorrelation::new(&lengths),
    }
}
