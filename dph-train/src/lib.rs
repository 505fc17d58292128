//! Training of Direct Preference Heads from one TOML file.
//!
//! ```no_run
//! use dph_train::{ExperimentFile, RunOptions, run};
//!
//! let changes = ["model.path=models/SmolLM2-135M-Instruct".to_string()];
//! let file = ExperimentFile::read("experiments/smollm2-gpt4all.toml".as_ref(), &changes)?;
//! let options = RunOptions { out: "runs/smollm2".into(), data: "data".into(), resume: false };
//! let bench = run(&file, &options)?;
//! print!("{}", dph_eval::Table::new(&[bench.results]).to_text());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An [`Experiment`] names a language model, a preference head, stages of training and an evaluation. [`run`] turns it
//! into a run directory. A stage that trains a head on a frozen model computes the model's [`Features`] once and keeps
//! them on disk. Everything random follows from the experiment's seed and the number of the step, so a run that was
//! killed and resumed ends with the same bytes as one that was not.

// `derive(RecordState)` looks these up in the crate root.
use burn::optim::{RecordState, StateSink, StateSource};

mod batch_file;
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
mod report;
mod run_dir;
mod schedule;
mod stages;
mod trainer;

pub use cli::Arguments;
pub use error::TrainError;
pub use experiment::{Experiment, schema};
pub use experiment_file::{ExperimentError, ExperimentFile, InvalidExperiment, Problem};
pub use features::{Features, KeptFeatures};
pub use forecast::{EvalForecast, Forecast, StageForecast, StageLoad};
pub use pipeline::{RunOptions, run};
pub use progress::StageProgress;
pub use run_dir::Manifest;
pub use schedule::{Schedule, Shape, StepScheduler};

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct ReadmeDoctests;
