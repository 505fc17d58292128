//! [`check_resume`]: whether an interrupted run can be continued, for `--dry-run --resume`.

use crate::error::TrainError;
use crate::experiment::file::ExperimentFile;
use crate::run::context::RunContext;
use crate::run::one::RunOptions;
use crate::run::preflight::{Preflights, Purpose};
use crate::run::run_dir::{Access, RunDir};
use crate::run::stage_dirs::StageDirs;

/// Makes the comparisons of [`run`](crate::run()) with `resume`, of settings, data and model, and writes nothing.
///
/// # Errors
/// As for `run`, up to its first stage.
pub fn check_resume(file: &ExperimentFile, options: &RunOptions) -> Result<(), TrainError> {
    let experiment = &file.experiment;
    let checked = Preflights::new(&options.data, Purpose::Run).check(experiment)?;
    let context = RunContext::new(experiment, &options.data, checked);
    let run = RunDir::open(&options.out, experiment, &file.source, Access::Compare)?;
    let dirs = StageDirs::alone(&run);
    context.check_resumed(&dirs)?;
    context.check_model(&dirs)
}
