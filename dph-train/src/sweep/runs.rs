//! [`SweepRuns`]: the directories of a sweep.

use std::collections::HashMap;

use super::job::Job;
use super::sharing::{Artifact, artifacts, shared};
use crate::error::TrainError;
use crate::experiment::file::ExperimentFile;
use crate::experiment::sweep::{Sweep, Variant};
use crate::model::source::given_model;
use crate::run::run_dir::{Access, RunDir};
use crate::run::{RunContext, RunOptions};

/// The directories of a sweep, of its variants and of the artifacts that they share.
pub(super) struct SweepRuns {
    /// The directory of the sweep.
    pub dir: RunDir,
    /// The run of each variant.
    runs: Vec<RunDir>,
    /// The artifacts of each variant.
    artifacts: Vec<Vec<Artifact>>,
    /// The directories of shared artifacts, by key.
    shared: HashMap<String, RunDir>,
}

impl SweepRuns {
    pub fn open(
        file: &ExperimentFile,
        sweep: &Sweep,
        options: &RunOptions,
        access: Access,
    ) -> Result<Self, TrainError> {
        let artifacts = artifacts(&sweep.variants, &options.data, |path, base| {
            Ok(given_model(path, base)?.content_hash()?)
        })?;
        let dir = RunDir::open(&options.out, &file.experiment, &file.source, access)?;
        let open = |variant: &Variant| {
            RunDir::open(&dir.path().join(&variant.label), &variant.experiment, &variant.source, access)
        };
        let runs = sweep.variants.iter().map(open).collect::<Result<_, _>>()?;
        let open = |artifact: &Artifact| {
            let shared = dir.path().join("shared").join(artifact.directory());
            Ok((artifact.key.clone(), RunDir::shared(&shared, access)?))
        };
        let shared = shared(&artifacts).into_iter().map(open).collect::<Result<_, TrainError>>()?;
        Ok(Self { dir, runs, artifacts, shared })
    }

    /// The jobs of all variants, given their contexts.
    pub fn jobs<'a>(&'a self, sweep: &'a Sweep, contexts: Vec<RunContext<'a>>) -> Vec<Job<'a>> {
        let parts = sweep.variants.iter().zip(contexts).zip(&self.runs).zip(&self.artifacts);
        parts
            .map(|(((variant, context), run), artifacts)| {
                Job::new(variant, context, run, artifacts, &self.shared)
            })
            .collect()
    }
}
