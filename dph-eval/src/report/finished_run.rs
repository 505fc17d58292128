//! [`FinishedRun`]: what a report shows of a run on disk.

use std::fs;
use std::path::{Path, PathBuf};

use crate::bench::Bench;
use crate::file_error::FileError;
use crate::model::Manifest;
use crate::report::curves::METRICS_FILE;
use crate::results::{DOCUMENTS_FILE, RESULTS_FILE, Results, ResultsError};

/// The directory in a run of the evaluations after single stages, each in a directory with the name of its stage.
pub const EVALUATIONS_DIR: &str = "evaluations";

/// File name of the experiment with all default values, in the directory of a run or a sweep.
pub const RESOLVED_FILE: &str = "resolved.toml";

/// The model before the first stage: the name of its evaluation, and the directory of a new model in a run.
pub const BASE: &str = "base";

/// What a report shows of a run, a sweep or an output directory of `dph-eval bench`.
#[derive(Debug, Clone, PartialEq)]
pub struct FinishedRun {
    /// The name in its results; the name of its directory for a sweep.
    pub name: String,
    /// Whether it is a sweep.
    pub is_sweep: bool,
    /// The evaluations after single stages in the order of the stages, then that after the last stage, each with the name of its stage.
    /// A run without such evaluations has one, with the name of the run, a sweep one for each variant.
    pub evaluations: Vec<Evaluation>,
    /// The metrics files of its stages, in the order of the stages.
    pub metrics: Vec<PathBuf>,
    /// The experiment with all default values, as TOML; `None` without one.
    pub experiment: Option<String>,
}

/// An evaluation on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// What it found.
    pub results: Results,
    /// The directory of its documents; `None` for the results of a variant in the list of a sweep.
    dir: Option<PathBuf>,
}

impl FinishedRun {
    /// Reads a run, given its directory or its `results.json`, which has no other evaluations beside it.
    ///
    /// # Errors
    /// As [`Results::load_all`]; an experiment that cannot be read.
    pub fn load(path: &Path) -> Result<Self, ResultsError> {
        let list = Results::load_all(path)?;
        let stages = Manifest::load(path).ok().flatten().map_or_else(Vec::new, |manifest| manifest.stages);
        let resolved = path.join(RESOLVED_FILE);
        let experiment = match resolved.is_file() {
            true => Some(
                fs::read_to_string(&resolved).map_err(|source| FileError::Io { path: resolved, source })?,
            ),
            false => None,
        };
        let [last] = &list[..] else {
            let of_variant = |results: Results| Evaluation { results, dir: None };
            return Ok(Self {
                name: directory_name(path),
                is_sweep: true,
                evaluations: list.into_iter().map(of_variant).collect(),
                metrics: Vec::new(),
                experiment,
            });
        };
        Ok(Self {
            name: last.name.clone(),
            is_sweep: false,
            evaluations: evaluations(path, &stages, last.clone())?,
            metrics: metrics(path, &stages),
            experiment,
        })
    }
}

impl Evaluation {
    /// The evaluation with its documents, if they are beside the results.
    ///
    /// # Errors
    /// A file with invalid content.
    pub fn bench(self) -> Result<Bench, ResultsError> {
        match self.dir.filter(|dir| dir.join(DOCUMENTS_FILE).is_file()) {
            Some(dir) => Bench::beside(self.results, &dir),
            None => Ok(Bench { results: self.results, ..Bench::new("") }),
        }
    }
}

/// The evaluations of a run; `last` is that after the last stage.
fn evaluations(run: &Path, stages: &[String], mut last: Results) -> Result<Vec<Evaluation>, ResultsError> {
    let stages: Vec<String> = stages.iter().map(|stage| directory_name(Path::new(stage))).collect();
    let mut all = Vec::new();
    for name in [BASE].into_iter().chain(stages.iter().map(String::as_str)) {
        let dir = run.join(EVALUATIONS_DIR).join(name);
        if dir.join(RESULTS_FILE).is_file() {
            all.push(Evaluation { results: Results::load(&dir)?, dir: Some(dir) });
        }
    }
    if let (false, Some(stage)) = (all.is_empty(), stages.last()) {
        last.name.clone_from(stage);
    }
    all.push(Evaluation { results: last, dir: Some(run.to_owned()) });
    Ok(all)
}

/// The metrics files beside the exports of the stages; a stage that a sweep shares has its own beside it.
fn metrics(run: &Path, stages: &[String]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let beside = |stage: &String| run.join(stage).parent().map(|dir| dir.join(METRICS_FILE));
    for file in stages.iter().filter_map(beside).chain([run.join(METRICS_FILE)]) {
        if !files.contains(&file) && file.is_file() {
            files.push(file);
        }
    }
    files
}

/// The name of a directory, or of that of a file.
pub fn directory_name(path: &Path) -> String {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let dir = if path.is_file() { path.parent().unwrap_or(&path) } else { &path };
    dir.file_name().map_or_else(|| dir.display().to_string(), |name| name.to_string_lossy().into_owned())
}
