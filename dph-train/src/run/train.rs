//! The steps of a run: the model, the stages, the evaluations, the results.

use std::fs;
use std::path::{Path, PathBuf};

use dph_eval::{Bench, Manifest};
use dph_model::Backbone;

use crate::cache::features::FeatureCache;
use crate::error::TrainError;
use crate::model::source::{given_model, new_config, write_tokenizer};
use crate::model::tokenizer::tokenizer;
use crate::run::context::RunContext;
use crate::run::evaluation::evaluate;
use crate::run::report;
use crate::run::run_dir::{METRICS, new_manifest};
use crate::run::stage_dirs::StageDirs;
use crate::stages::StageContext;

impl RunContext<'_> {
    /// Creates the model and runs the stages; finished stages are skipped. Returns the directory of the final model and the
    /// evaluations after single stages.
    pub fn train(
        &self,
        dirs: &StageDirs<'_>,
        features: &FeatureCache,
    ) -> Result<(PathBuf, Vec<Bench>), TrainError> {
        let mut benches = Vec::new();
        let mut model_dir = self.base_model(dirs)?;
        self.write_manifest(dirs, &model_dir)?;
        for stage in &self.experiment.stages {
            let home = dirs.directory(&stage.name);
            let (metrics_log, checkpoints) = (home.path().join(METRICS), home.checkpoints(&stage.name));
            let context = StageContext {
                experiment: self.experiment,
                data: self.data,
                device: &self.device,
                metrics_log: &metrics_log,
                features,
            };
            model_dir =
                home.once(&stage.name, |export| context.run(stage, &model_dir, &checkpoints, export))?;
            let is_last = self.experiment.stages.last().is_some_and(|last| last.name == stage.name);
            if self.experiment.eval.after.contains(&stage.name) && !is_last {
                let evaluation = dirs.run().once(&format!("{EVALUATIONS}/{}", stage.name), |dir| {
                    let mut bench = evaluate(self, &[&model_dir])?.remove(0);
                    bench.results.name = stage.name.clone();
                    Ok(bench.save(dir)?)
                })?;
                benches.push(Bench::load(&evaluation)?);
            }
        }
        Ok((model_dir, benches))
    }

    /// Writes the reports and then the results of a run.
    pub fn finish(&self, dirs: &StageDirs<'_>, benches: &[Bench]) -> Result<(), TrainError> {
        let (run, name) = (dirs.run(), &self.experiment.name);
        report::write(run.path(), &dirs.metrics(self.experiment), &run.resolved()?, name, benches)?;
        let [.., last] = benches else { return Ok(()) };
        let mut last = last.clone();
        last.results.name = name.clone();
        Ok(last.save(run.path())?)
    }

    /// The directory of the model from which the first stage starts.
    fn base_model(&self, dirs: &StageDirs<'_>) -> Result<PathBuf, TrainError> {
        let experiment = self.experiment;
        if let Some(path) = &experiment.model.path {
            let files = given_model(path)?;
            return fs::canonicalize(files.path()).map_err(|source| TrainError::io(files.path(), source));
        }
        dirs.directory(BASE).once(BASE, |dir| {
            write_tokenizer(experiment, self.data, dir)?;
            let tokenizer = tokenizer(experiment, dir)?;
            let config = new_config(experiment, &tokenizer);
            Backbone::init(&config, experiment.seed, &self.device)?.save(dir)?;
            Ok(())
        })
    }

    fn write_manifest(&self, dirs: &StageDirs<'_>, base: &Path) -> Result<(), TrainError> {
        let experiment = self.experiment;
        let manifest = Manifest {
            seed: Some(experiment.seed),
            device: Some(experiment.device.clone()),
            model: Some(dph_model::content_hash(base)?),
            stages: experiment.stages.iter().map(|stage| dirs.export(&stage.name)).collect(),
            ..new_manifest()
        };
        Ok(manifest.save(dirs.run().path())?)
    }
}

/// Name of the directory of a new model in a run.
pub(crate) const BASE: &str = "base";
/// Name of the directory of the evaluations after single stages in a run.
const EVALUATIONS: &str = "evaluations";
