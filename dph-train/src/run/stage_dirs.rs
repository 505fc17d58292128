//! [`StageDirs`]: where the artifacts of a run are made.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::experiment::Experiment;
use crate::run::run_dir::{METRICS, RunDir};

/// The directories in which the artifacts of a run (a new model and the stages) are made: its own, but for those that it
/// shares with other runs of a sweep.
pub(crate) struct StageDirs<'a> {
    run: &'a RunDir,
    shared: HashMap<&'a str, &'a RunDir>,
}

impl<'a> StageDirs<'a> {
    /// A run that shares nothing.
    pub fn alone(run: &'a RunDir) -> Self {
        Self { run, shared: HashMap::new() }
    }

    /// A run that shares these artifacts. The directories of all are in that of the sweep.
    pub fn with_shared(run: &'a RunDir, shared: HashMap<&'a str, &'a RunDir>) -> Self {
        Self { run, shared }
    }

    /// The run's own directory.
    pub fn run(&self) -> &'a RunDir {
        self.run
    }

    /// The directory in which an artifact is made.
    pub fn directory(&self, artifact: &str) -> &'a RunDir {
        self.shared.get(artifact).copied().unwrap_or(self.run)
    }

    /// The way from the run to what an artifact exports.
    pub fn export(&self, artifact: &str) -> String {
        let sweep = self.run.path().parent();
        let inside = sweep.and_then(|sweep| self.shared.get(artifact)?.path().strip_prefix(sweep).ok());
        match inside {
            Some(inside) => format!("../{}/{artifact}", inside.display()),
            None => artifact.into(),
        }
    }

    /// The files with the metrics of all stages, in their order.
    pub fn metrics(&self, experiment: &Experiment) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = Vec::new();
        for stage in &experiment.stages {
            let file = self.directory(&stage.name).path().join(METRICS);
            if !files.contains(&file) {
                files.push(file);
            }
        }
        files
    }
}
