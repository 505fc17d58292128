//! One run: preflight checks, files, training, evaluation and report.

mod context;
pub(crate) mod evaluation;
pub(crate) mod evaluation_plan;
mod one;
pub(crate) mod preflight;
mod provenance;
mod report;
mod resume;
pub(crate) mod run_dir;
pub(crate) mod stage_dirs;
mod train;

pub(crate) use context::RunContext;
pub(crate) use one::features_dir;
pub use one::{RunOptions, run};
pub use resume::check_resume;
