//! x
// `derive(RecordState)` looks these up in the crate root.
use burn::optim::{RecordState, StateSink, StateSource};

mod checks;
mod cli;
mod error;
pub mod experiment;
mod experiment_file;
mod features;
mod forecast;
pub mod optimiser;
mod pipeline;
mod progress;
mod run_dir;
mod schedule;
mod stages;
mod trainer;

pub use cli::Arguments;
pub use error::TrainError;
pub use experiment::Experiment;
pub use experiment_file::{ExperimentError, ExperimentFile, InvalidExperiment, Problem};
pub use features::Features;
pub use forecast::{Forecast, StageForecast};
pub use pipeline::{RunOptions, run};
pub use progress::StageProgress;
pub use run_dir::Manifest;
pub use schedule::{Schedule, Shape, StepScheduler};
