//! [`check_sweep_resume`]: whether an interrupted sweep can be continued, for `--dry-run --resume`.

use super::job::Job;
use super::rows::TasksThere;
use super::run::contexts;
use super::runs::SweepRuns;
use crate::error::TrainError;
use crate::experiment::file::ExperimentFile;
use crate::run::RunOptions;
use crate::run::run_dir::Access;

/// Makes the comparisons of [`run_sweep`](crate::run_sweep) with `resume`, of settings, data and models, and writes nothing.
///
/// # Errors
/// As for `run_sweep`, up to its first stage.
pub fn check_sweep_resume(file: &ExperimentFile, options: &RunOptions) -> Result<(), TrainError> {
    let none = TrainError::Sweep("this experiment has no [sweep]; check it with `check_resume`");
    let sweep = file.sweep.as_ref().ok_or(none)?;
    let sweep = &TasksThere::required(sweep, &options.data)?.sweep;
    let contexts = contexts(sweep, &options.data)?;
    let runs = SweepRuns::open(file, sweep, options, Access::Compare)?;
    let jobs = runs.jobs(sweep, contexts);
    jobs.iter().try_for_each(Job::check_resumed)?;
    jobs.iter().try_for_each(Job::check_model)
}
