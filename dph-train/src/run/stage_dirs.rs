//! [`StageDirs`]: the directories of the artifacts of a run.

use std::collections::HashMap;
use std::path::PathBuf;

use dph_eval::METRICS_FILE;

use crate::experiment::Experiment;
use crate::run::run_dir::RunDir;

/// The directories of the artifacts of a run (a new model and the stages). Artifacts that several runs of a sweep share
/// have a shared directory; the others are in the run's own directory.
pub(crate) struct StageDirs<'a> {
    run: &'a RunDir,
    shared: HashMap<&'a str, &'a RunDir>,
}

impl<'a> StageDirs<'a> {
    /// A run without shared artifacts.
    pub fn alone(run: &'a RunDir) -> Self {
        Self { run, shared: HashMap::new() }
    }

    /// A run with these shared artifacts. All directories are inside the directory of the sweep.
    pub fn with_shared(run: &'a RunDir, shared: HashMap<&'a str, &'a RunDir>) -> Self {
        Self { run, shared }
    }

    /// The run's own directory.
    pub fn run(&self) -> &'a RunDir {
        self.run
    }

    /// The directory that contains an artifact.
    pub fn directory(&self, artifact: &str) -> &'a RunDir {
        self.shared.get(artifact).copied().unwrap_or(self.run)
    }

    /// The path of an exported artifact, relative to the run.
    pub fn export(&self, artifact: &str) -> String {
        let sweep = self.run.path().parent();
        let inside = sweep.and_then(|sweep| self.shared.get(artifact)?.path().strip_prefix(sweep).ok());
        match inside {
            Some(inside) => format!("../{}/{artifact}", inside.display()),
            None => artifact.into(),
        }
    }

    /// The metrics files of all stages, in the order of the stages.
    pub fn metrics(&self, experiment: &Experiment) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = Vec::new();
        for stage in &experiment.stages {
            let file = self.directory(&stage.name).path().join(METRICS_FILE);
            if !files.contains(&file) {
                files.push(file);
            }
        }
        files
    }
}
