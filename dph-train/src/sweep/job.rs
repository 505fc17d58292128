//! [`Job`]: the run of one variant of a sweep.

use std::collections::HashMap;
use std::path::PathBuf;

use dph_core::{HeadFileError, PreferenceHeadConfig};
use dph_eval::{BackboneReference, RESULTS_FILE, Results, SweepRow};
use dph_model::checkpoint::locate_here;

use super::sharing::Artifact;
use crate::error::TrainError;
use crate::experiment::sweep::Variant;
use crate::run::RunContext;
use crate::run::preflight::RunData;
use crate::run::run_dir::RunDir;
use crate::run::stage_dirs::StageDirs;

/// A variant, the directories of its artifacts and its state.
pub(super) struct Job<'a> {
    pub variant: &'a Variant,
    pub context: RunContext<'a>,
    pub artifacts: &'a [Artifact],
    pub dirs: StageDirs<'a>,
    /// Whether it was already trained and evaluated at the start of the sweep.
    pub done: bool,
    /// The error if it failed.
    pub failed: Option<TrainError>,
}

impl<'a> Job<'a> {
    /// Creates the job of a variant, given its run and the directories of shared artifacts by key.
    pub fn new(
        variant: &'a Variant,
        context: RunContext<'a>,
        run: &'a RunDir,
        artifacts: &'a [Artifact],
        shared: &'a HashMap<String, RunDir>,
    ) -> Self {
        let shared_artifact =
            |artifact: &'a Artifact| Some((artifact.name.as_str(), shared.get(&artifact.key)?));
        let dirs = StageDirs::with_shared(run, artifacts.iter().filter_map(shared_artifact).collect());
        let mut job = Self { variant, context, artifacts, dirs, done: false, failed: None };
        // Only the last artifact is required: the earlier ones may be deleted after the evaluation.
        job.done = run.path().join(RESULTS_FILE).is_file() && job.model_dir().exists();
        job
    }

    /// Fails if the variant, or an artifact that it shares, used other data.
    pub fn check_resumed(&self) -> Result<(), TrainError> {
        let check = || {
            self.context.check_resumed(&self.dirs)?;
            match self.done {
                true => self.dirs.run().check_data(RESULTS_FILE, &self.context.loaded.last.record),
                false => Ok(()),
            }
        };
        check().map_err(|source| self.named(source))
    }

    /// Fails if the variant began with another model.
    pub fn check_model(&self) -> Result<(), TrainError> {
        self.context.check_model(&self.dirs).map_err(|source| self.named(source))
    }

    /// An error with the name of the variant.
    fn named(&self, source: TrainError) -> TrainError {
        TrainError::Variant { variant: self.variant.label.clone(), source: source.into() }
    }

    /// Logs and stores the error of the variant.
    pub fn fail(&mut self, error: TrainError) {
        tracing::error!("{}: {error}", self.variant.label);
        self.context.loaded = RunData::default();
        self.failed = Some(error);
    }

    /// The directory of an artifact.
    fn directory(&self, artifact: &Artifact) -> PathBuf {
        self.dirs.directory(&artifact.name).path().join(&artifact.name)
    }

    /// The directory of the final model of the variant.
    pub fn model_dir(&self) -> PathBuf {
        match self.artifacts.last() {
            Some(artifact) => self.directory(artifact),
            None => {
                let path = self.context.experiment.model.path.clone().unwrap_or_default();
                locate_here(&path).unwrap_or(path)
            }
        }
    }

    /// The first artifact that does not exist yet.
    pub fn first_missing(&self) -> Option<&'a Artifact> {
        self.artifacts.iter().find(|artifact| !self.directory(artifact).is_dir())
    }

    /// A key of the language model and the settings of the evaluation. Variants with the same key are evaluated in one pass.
    pub fn evaluated_with(&self) -> Result<String, TrainError> {
        let dir = self.model_dir();
        let (backbone, hash) = match BackboneReference::load(&dir)? {
            Some(reference) => (reference.resolve(&dir), reference.hash),
            None => (dir, String::new()),
        };
        let backbone = backbone.canonicalize().map_err(|source| TrainError::io(&backbone, source))?;
        let RunContext { experiment, data, .. } = &self.context;
        let (name, device, open) = (&experiment.name, &experiment.device, experiment.model.open_options());
        let held_out = self
            .context
            .plan
            .tasks
            .iter()
            .filter_map(|task| Some((&task.requested, task.held_out.as_ref()?)));
        let held_out: Vec<_> = held_out.collect();
        Ok(format!(
            "{backbone:?} {hash} {name:?} {device} {open:?} {data:?} {:?} {:?} {held_out:?}",
            experiment.eval,
            experiment.named_eval_style()
        ))
    }

    /// The row of the variant in the table of the sweep.
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
