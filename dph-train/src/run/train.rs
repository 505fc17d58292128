//! The steps of a run: the model, the stages, the evaluations, the results.

use std::fs;
use std::path::{Path, PathBuf};

use dph_eval::{BASE, Bench, EVALUATIONS_DIR, METRICS_FILE, Manifest, RESULTS_FILE};
use dph_model::checkpoint::{ConvertOptions, TOKENIZER_FILE, convert_files};
use dph_model::{Backbone, Encoder};

use crate::cache::features::FeatureCache;
use crate::data::record::DataRecord;
use crate::error::TrainError;
use crate::model::source::given_model;
use crate::model::tokenizer::copy_tokenizer;
use crate::run::context::RunContext;
use crate::run::evaluation::evaluate;
use crate::run::report;
use crate::run::run_dir::{RunDir, new_manifest};
use crate::run::stage_dirs::StageDirs;
use crate::stages::StageContext;

impl RunContext<'_> {
    /// Creates the model and runs the stages; finished stages are skipped. Returns the directory of the final model and the
    /// evaluations before the first stage and after single stages.
    ///
    /// The data of a stage are dropped after it.
    pub fn train(
        &mut self,
        dirs: &StageDirs<'_>,
        features: &FeatureCache,
    ) -> Result<(PathBuf, Vec<Bench>), TrainError> {
        let mut benches = Vec::new();
        let mut model_dir = self.base_model(dirs)?;
        self.write_manifest(dirs, &model_dir)?;
        benches.extend(self.evaluate_after(BASE, &model_dir, dirs)?);
        let stages = std::mem::take(&mut self.loaded.stages);
        for (stage, data) in self.experiment.stages.iter().zip(stages) {
            let dir = dirs.directory(&stage.name);
            let (metrics_log, checkpoints) = (dir.path().join(METRICS_FILE), dir.checkpoints(&stage.name));
            let context = StageContext {
                experiment: self.experiment,
                device: &self.device,
                metrics_log: &metrics_log,
                features,
            };
            let record = data.record.clone();
            model_dir = dir.once(&stage.name, &record, |export| {
                context.run(stage, data, &model_dir, &checkpoints, export)
            })?;
            let is_last = self.experiment.stages.last().is_some_and(|last| last.name == stage.name);
            if !is_last {
                benches.extend(self.evaluate_after(&stage.name, &model_dir, dirs)?);
            }
        }
        Ok((model_dir, benches))
    }

    /// Evaluates the model after a stage, or before the first one ([`BASE`]), if `[eval] after` names it.
    fn evaluate_after(
        &self,
        stage: &str,
        model_dir: &Path,
        dirs: &StageDirs<'_>,
    ) -> Result<Option<Bench>, TrainError> {
        let Some(data) = self.loaded.after.get(stage) else { return Ok(None) };
        let evaluation = dirs.run().once(&evaluation_name(stage), &data.record, |dir| {
            let mut bench = evaluate(self, data, &[model_dir], dirs.run().path())?.remove(0);
            bench.results.name = stage.into();
            Ok(bench.save(dir)?)
        })?;
        Ok(Some(Bench::load(&evaluation)?))
    }

    /// Writes the reports and then the results of a run.
    pub fn finish(&self, dirs: &StageDirs<'_>, benches: &[Bench]) -> Result<(), TrainError> {
        let (run, name) = (dirs.run(), &self.experiment.name);
        report::write(run.path(), &dirs.metrics(self.experiment), &run.resolved()?, name, benches)?;
        let [.., last] = benches else { return Ok(()) };
        let mut last = last.clone();
        last.results.name = name.clone();
        run.record(RESULTS_FILE, &self.loaded.last.record)?;
        Ok(last.save(run.path())?)
    }

    /// Fails if a stage or an evaluation of a run that is resumed used other data, or a new model has another tokenizer.
    pub fn check_resumed(&self, dirs: &StageDirs<'_>) -> Result<(), TrainError> {
        self.check_tokenizer(dirs.directory(BASE))?;
        for (stage, data) in self.experiment.stages.iter().zip(&self.loaded.stages) {
            dirs.directory(&stage.name).check_data(&stage.name, &data.record)?;
        }
        for (stage, data) in &self.loaded.after {
            dirs.run().check_data(&evaluation_name(stage), &data.record)?;
        }
        Ok(())
    }

    /// Fails if a run that is resumed began with another model.
    pub fn check_model(&self, dirs: &StageDirs<'_>) -> Result<(), TrainError> {
        let model = &self.experiment.model;
        let base = match &model.path {
            Some(path) if model.base.is_none() => given_model(path, None)?.path().to_path_buf(),
            _ => dirs.directory(BASE).path().join(BASE),
        };
        if base.exists() {
            self.model_hash(dirs.run().path(), &base)?;
        }
        Ok(())
    }

    /// Fails if the new model of a run has another tokenizer than the one that the data were loaded with.
    fn check_tokenizer(&self, run: &RunDir) -> Result<(), TrainError> {
        let Some(new) = self.source.as_ref().and_then(|source| source.new.as_ref()) else { return Ok(()) };
        let read = |dir: &Path| fs::read(dir.join(TOKENIZER_FILE)).ok();
        match read(&run.path().join(BASE)) {
            Some(then) if read(new.tokenizer()).is_none_or(|now| now != then) => Err(TrainError::OtherData {
                dir: run.path().into(),
                artifact: BASE.into(),
                differences: "`model.tokenizer`, or the text that it is trained on, changed".into(),
            }),
            _ => Ok(()),
        }
    }

    /// The directory of the model from which the first stage starts.
    fn base_model(&self, dirs: &StageDirs<'_>) -> Result<PathBuf, TrainError> {
        let experiment = self.experiment;
        let Some(new) = self.source.as_ref().and_then(|source| source.new.as_ref()) else {
            let base = experiment.model.base.as_deref();
            let files = given_model(experiment.model.path.as_deref().unwrap_or(Path::new("")), base)?;
            if base.is_some() {
                // The other directories of the run refer to a model by its path alone.
                return dirs.directory(BASE).once(BASE, &DataRecord::default(), |dir| {
                    convert_files(&files, dir, &ConvertOptions::default())?;
                    Ok(())
                });
            }
            return fs::canonicalize(files.path()).map_err(|source| TrainError::io(files.path(), source));
        };
        dirs.directory(BASE).once(BASE, &DataRecord::default(), |dir| {
            copy_tokenizer(new.tokenizer(), dir)?;
            match self.source.as_ref().is_none_or(|source| source.config.causal) {
                true => Backbone::init(&new.config, experiment.seed, &self.device)?.save(dir)?,
                false => Encoder::init(&new.config, experiment.seed, &self.device)?.save(dir)?,
            }
            Ok(())
        })
    }

    /// The content hash of the model from which the first stage starts. Fails if the run began with another one.
    fn model_hash(&self, run: &Path, base: &Path) -> Result<String, TrainError> {
        let now = dph_model::content_hash(base)?;
        match Manifest::load(run)?.and_then(|earlier| earlier.model).filter(|then| *then != now) {
            Some(then) => Err(TrainError::OtherModel { dir: run.into(), model: base.into(), then, now }),
            None => Ok(now),
        }
    }

    fn write_manifest(&self, dirs: &StageDirs<'_>, base: &Path) -> Result<(), TrainError> {
        let (experiment, dir) = (self.experiment, dirs.run().path());
        let model = self.model_hash(dir, base)?;
        let manifest = Manifest {
            seed: Some(experiment.seed),
            device: Some(experiment.device.clone()),
            model: Some(model),
            stages: experiment.stages.iter().map(|stage| dirs.export(&stage.name)).collect(),
            ..new_manifest()
        };
        Ok(manifest.save(dir)?)
    }
}

/// The directory in a run of the evaluation after a stage.
fn evaluation_name(stage: &str) -> String {
    format!("{EVALUATIONS_DIR}/{stage}")
}
