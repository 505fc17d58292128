//! A variant of a sweep at work.

use std::collections::HashMap;
use std::path::PathBuf;

use dph_core::{HeadFileError, PreferenceHeadConfig};
use dph_eval::{BackboneReference, RESULTS_FILE, Results, SweepRow};
use dph_model::checkpoint::locate_here;

use super::sharing::Artifact;
use crate::error::TrainError;
use crate::experiment::sweep::Variant;
use crate::run::RunContext;
use crate::run::run_dir::RunDir;
use crate::run::stage_dirs::StageDirs;

/// A variant, where its artifacts are made, and how far it has come.
pub(super) struct Job<'a> {
    pub variant: &'a Variant,
    pub context: &'a RunContext<'a>,
    pub artifacts: &'a [Artifact],
    pub dirs: StageDirs<'a>,
    /// Whether it was trained and evaluated already when the sweep began.
    pub done: bool,
    /// Why it did not succeed.
    pub failed: Option<TrainError>,
}

impl<'a> Job<'a> {
    /// A variant with its run, and the directories of the artifacts that it shares with others, by key.
    pub fn new(
        variant: &'a Variant,
        context: &'a RunContext<'a>,
        run: &'a RunDir,
        artifacts: &'a [Artifact],
        shared: &'a HashMap<String, RunDir>,
    ) -> Self {
        let shared_artifact =
            |artifact: &'a Artifact| Some((artifact.name.as_str(), shared.get(&artifact.key)?));
        let dirs = StageDirs::with_shared(run, artifacts.iter().filter_map(shared_artifact).collect());
        let mut job = Self { variant, context, artifacts, dirs, done: false, failed: None };
        // Only the last artifact counts: what a variant is made of may be gone when it is evaluated.
        job.done = run.path().join(RESULTS_FILE).is_file() && job.model_dir().exists();
        job
    }

    /// Notes, and says, that the variant failed.
    pub fn fail(&mut self, error: TrainError) {
        tracing::error!("{}: {error}", self.variant.label);
        self.failed = Some(error);
    }

    /// The directory of an artifact.
    fn directory(&self, artifact: &Artifact) -> PathBuf {
        self.dirs.directory(&artifact.name).path().join(&artifact.name)
    }

    /// The directory of the model that the variant ends with.
    pub fn model_dir(&self) -> PathBuf {
        match self.artifacts.last() {
            Some(artifact) => self.directory(artifact),
            None => {
                let path = self.context.experiment.model.path.clone().unwrap_or_default();
                locate_here(&path).unwrap_or(path)
            }
        }
    }

    /// The first artifact that is not made yet.
    pub fn first_missing(&self) -> Option<&'a Artifact> {
        self.artifacts.iter().find(|artifact| !self.directory(artifact).is_dir())
    }

    /// A key that is the same for variants that are evaluated alike on the same language model, and so in one pass over it.
    pub fn evaluated_with(&self) -> Result<String, TrainError> {
        let dir = self.model_dir();
        let (backbone, hash) = match BackboneReference::load(&dir)? {
            Some(reference) => (reference.resolve(&dir), reference.hash),
            None => (dir, String::new()),
        };
        let backbone = backbone.canonicalize().map_err(|source| TrainError::io(&backbone, source))?;
        let RunContext { experiment, data, .. } = self.context;
        let (name, device, open) = (&experiment.name, &experiment.device, experiment.model.open_options());
        let held_out = self
            .context
            .plan
            .tasks
            .iter()
            .filter_map(|task| Some((&task.requested, task.held_out.as_ref()?)));
        let held_out: Vec<_> = held_out.collect();
        Ok(format!(
            "{backbone:?} {hash} {name:?} {device} {open:?} {data:?} {:?} {held_out:?}",
            experiment.eval
        ))
    }

    /// Its row in the table of the sweep.
    pub fn row(&self) -> Result<SweepRow, TrainError> {
        let parameters = match PreferenceHeadConfig::load(&self.model_dir()) {
            Ok(config) => Some(config.parameters()),
            Err(HeadFileError::Missing { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let results = Results::load(self.dirs.run().path())?;
        let results = Results { name: self.variant.label.clone(), ..results };
        Ok(SweepRow { values: self.variant.values.clone(), parameters, results })
    }
}
