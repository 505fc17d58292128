//! From an experiment to a run: the model, the stages, the evaluation, the report.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use burn::tensor::Device;
use dph_eval::{Bench, BenchPlan};
use dph_model::Backbone;

use crate::TrainError;
use crate::evaluation::evaluate;
use crate::experiment::Experiment;
use crate::experiment_file::ExperimentFile;
use crate::features::FeatureCache;
use crate::homes::Homes;
use crate::model_source::{given_model, new_config, write_tokenizer};
use crate::preflight::{Preflight, Preflights, Purpose};
use crate::report;
use crate::run_dir::{MANIFEST, METRICS, Manifest, RunDir, write_atomically};
use crate::stages::{StageContext, tokenizer};

/// Where and how an experiment runs.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The run directory.
    pub out: PathBuf,
    /// Root of the data sets, where the experiment does not say.
    pub data: PathBuf,
    /// Go on with an interrupted run.
    pub resume: bool,
}

/// Runs an experiment from its model to its report, and gives the results of its evaluations: those after single stages,
/// then that of the last one.
///
/// ```no_run
/// use dph_train::{ExperimentFile, RunOptions, run};
///
/// let file = ExperimentFile::read("experiments/quickstart.toml".as_ref(), &["seed=7".into()])?;
/// let options = RunOptions { out: "runs/quickstart".into(), data: "data".into(), resume: false };
/// for bench in run(&file, &options)? {
///     print!("{}", dph_eval::Table::new(&[bench.results]).to_text());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// What stopped it. An experiment with a `[sweep]` is many runs, for [`run_sweep`](crate::run_sweep).
pub fn run(file: &ExperimentFile, options: &RunOptions) -> Result<Vec<Bench>, TrainError> {
    if file.sweep.is_some() {
        return Err(TrainError::Sweep("this experiment has a [sweep], which `run_sweep` runs"));
    }
    let experiment = &file.experiment;
    // What is wrong must not move an earlier run aside.
    let checked = Preflights::new(&options.data, Purpose::Run).check(experiment)?;
    let setting = Setting::new(experiment, &options.data, checked);
    let run = RunDir::open(&options.out, experiment, &file.source, options.resume)?;
    let homes = Homes::alone(&run);
    let (model_dir, mut benches) = setting.train(&homes, &FeatureCache::new(features_dir(&options.out)))?;
    let mut bench = evaluate(&setting, &[&model_dir])?.remove(0);
    if let (false, Some(last)) = (benches.is_empty(), experiment.stages.last()) {
        bench.results.name = last.name.clone();
    }
    benches.push(bench);
    setting.finish(&homes, &benches)?;
    Ok(benches)
}

/// Where the features of the runs in a folder are kept: beside them.
pub(crate) fn features_dir(run: &Path) -> PathBuf {
    run.parent().unwrap_or(Path::new(".")).join("features")
}

/// An experiment, and what it needs to run.
pub(crate) struct Setting<'a> {
    pub experiment: &'a Experiment,
    /// Root of the data sets.
    pub data: &'a Path,
    pub device: Device,
    pub plan: BenchPlan,
}

impl<'a> Setting<'a> {
    /// The setting of an experiment that was checked, whose warnings are logged.
    pub fn new(experiment: &'a Experiment, data: &'a Path, checked: Preflight) -> Self {
        let Preflight { device, plan, warnings, .. } = checked;
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        Self { experiment, data: experiment.data.as_deref().unwrap_or(data), device, plan }
    }

    /// Makes the model and runs the stages, as far as they are not done already. Gives the directory of the result, and
    /// the evaluations after single stages.
    pub fn train(
        &self,
        homes: &Homes<'_>,
        features: &FeatureCache,
    ) -> Result<(PathBuf, Vec<Bench>), TrainError> {
        let mut benches = Vec::new();
        let mut model_dir = self.base_model(homes)?;
        self.write_manifest(homes, &model_dir)?;
        for stage in &self.experiment.stages {
            let home = homes.of(&stage.name);
            let (journal, checkpoints) = (home.path().join(METRICS), home.checkpoints(&stage.name));
            let context = StageContext {
                experiment: self.experiment,
                data: self.data,
                device: &self.device,
                journal: &journal,
                features,
            };
            model_dir =
                home.once(&stage.name, |export| context.run(stage, &model_dir, &checkpoints, export))?;
            let is_last = self.experiment.stages.last().is_some_and(|last| last.name == stage.name);
            if self.experiment.eval.after.contains(&stage.name) && !is_last {
                let evaluation = homes.run().once(&format!("{EVALUATIONS}/{}", stage.name), |dir| {
                    let mut bench = evaluate(self, &[&model_dir])?.remove(0);
                    bench.results.name = stage.name.clone();
                    Ok(bench.save(dir)?)
                })?;
                benches.push(Bench::load(&evaluation)?);
            }
        }
        Ok((model_dir, benches))
    }

    /// Writes the results and the reports of a run, the results last.
    pub fn finish(&self, homes: &Homes<'_>, benches: &[Bench]) -> Result<(), TrainError> {
        let (run, name) = (homes.run(), &self.experiment.name);
        report::write(run.path(), &homes.metrics(self.experiment), &run.resolved()?, name, benches)?;
        let [.., last] = benches else { return Ok(()) };
        let mut last = last.clone();
        last.results.name = name.clone();
        Ok(last.save(run.path())?)
    }

    /// The directory of the model that the first stage starts from.
    fn base_model(&self, homes: &Homes<'_>) -> Result<PathBuf, TrainError> {
        let experiment = self.experiment;
        if let Some(path) = &experiment.model.path {
            let files = given_model(path)?;
            return fs::canonicalize(files.path()).map_err(|source| TrainError::io(files.path(), source));
        }
        homes.of(BASE).once(BASE, |dir| {
            write_tokenizer(experiment, self.data, dir)?;
            let tokenizer = tokenizer(experiment, dir)?;
            let config = new_config(experiment, &tokenizer);
            Backbone::init(&config, experiment.seed, &self.device)?.save(dir)?;
            Ok(())
        })
    }

    fn write_manifest(&self, homes: &Homes<'_>, base: &Path) -> Result<(), TrainError> {
        let experiment = self.experiment;
        let manifest = Manifest {
            version: env!("CARGO_PKG_VERSION").into(),
            git_revision: git_revision(),
            seed: experiment.seed,
            device: experiment.device.clone(),
            model: dph_model::content_hash(base)?,
            stages: experiment.stages.iter().map(|stage| homes.export(&stage.name)).collect(),
        };
        let path = homes.run().path().join(MANIFEST);
        let json =
            serde_json::to_vec_pretty(&manifest).map_err(|error| TrainError::io(&path, error.into()))?;
        write_atomically(&path, &json)
    }
}

/// Name of a new model in a run.
pub(crate) const BASE: &str = "base";
/// Folder of the evaluations after single stages in a run.
const EVALUATIONS: &str = "evaluations";

/// The revision of the git repository that the program was started in.
pub(crate) fn git_revision() -> Option<String> {
    let revision =
        Command::new("git").args(["rev-parse", "HEAD"]).output().ok().filter(|out| out.status.success());
    revision.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_string())
}
