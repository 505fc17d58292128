//! [`run`]: runs an experiment.

use std::path::{Path, PathBuf};

use dph_eval::Bench;

use crate::cache::features::FeatureCache;
use crate::error::TrainError;
use crate::experiment::file::ExperimentFile;
use crate::run::context::RunContext;
use crate::run::evaluation::evaluate;
use crate::run::preflight::{Preflights, Purpose};
use crate::run::run_dir::{Access, RunDir};
use crate::run::stage_dirs::StageDirs;

/// Options of a run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The run directory.
    pub out: PathBuf,
    /// Root directory of the data sets for an experiment without `data`.
    pub data: PathBuf,
    /// Whether to continue an interrupted run.
    pub resume: bool,
}

impl RunOptions {
    /// Whether there is a run to continue.
    pub fn has_run(&self) -> bool {
        RunDir::exists(&self.out)
    }

    /// What the run directory is opened for. A warning is logged if there is no run to continue.
    pub(crate) fn access(&self) -> Access {
        if self.resume && !self.has_run() {
            tracing::warn!("{}: there is no run to resume; a new one starts", self.out.display());
        }
        if self.resume { Access::Resume } else { Access::New }
    }
}

/// Runs an experiment and returns the results of its evaluations: first the evaluations after single stages, then the
/// evaluation after the last stage.
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
/// The error that stopped the run. An experiment with a `[sweep]` is rejected; use [`run_sweep`](crate::run_sweep).
pub fn run(file: &ExperimentFile, options: &RunOptions) -> Result<Vec<Bench>, TrainError> {
    if file.sweep.is_some() {
        return Err(TrainError::Sweep("this experiment has a [sweep]; run it with `run_sweep`"));
    }
    let experiment = &file.experiment;
    // Check before an earlier run is renamed.
    let checked = Preflights::new(&options.data, Purpose::Run).check(experiment)?;
    let mut context = RunContext::new(experiment, &options.data, checked);
    let run = RunDir::open(&options.out, experiment, &file.source, options.access())?;
    let dirs = StageDirs::alone(&run);
    context.check_resumed(&dirs)?;
    let (model_dir, mut benches) = context.train(&dirs, &FeatureCache::new(features_dir(&options.out)))?;
    let mut bench = evaluate(&context, &context.loaded.last, &[&model_dir], run.path())?.remove(0);
    if let (false, Some(last)) = (benches.is_empty(), experiment.stages.last()) {
        bench.results.name = last.name.clone();
    }
    benches.push(bench);
    context.finish(&dirs, &benches)?;
    Ok(benches)
}

/// The directory of the feature cache: `features`, next to the run directory.
pub(crate) fn features_dir(run: &Path) -> PathBuf {
    run.parent().unwrap_or(Path::new(".")).join("features")
}
