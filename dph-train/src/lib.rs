//! Training of Direct Preference Heads from one TOML file.
//!
//! ```no_run
//! use dph_train::{ExperimentFile, RunOptions, run};
//!
//! let changes = ["model.path=models/SmolLM2-135M-Instruct".to_string()];
//! let file = ExperimentFile::read("experiments/smollm2-gpt4all.toml".as_ref(), &changes)?;
//! let options = RunOptions { out: "runs/smollm2".into(), data: "data".into(), resume: false };
//! for bench in run(&file, &options)? {
//!     print!("{}", dph_eval::Table::new(&[bench.results]).to_text());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An [`Experiment`] names a language model, a preference head, stages of training and an evaluation. [`run`] turns it
//! into a run directory. A stage that trains a head on a frozen model computes the model's [`Features`] once and keeps
//! them on disk. Everything random follows from the experiment's seed and the number of the step, so a run that was
//! killed and resumed ends with the same bytes as one that was not.
//!
//! An experiment with a `[sweep]` is many runs, one for each combination of the swept values; [`run_sweep`] runs them and does
//! once what several of them share.

// `derive(RecordState)` looks these up in the crate root.
use burn::optim::{RecordState, StateSink, StateSource};

mod batch_file;
mod checks;
mod error;
mod evaluation;
pub mod experiment;
mod experiment_error;
mod experiment_file;
#[cfg(feature = "cli")]
mod failure;
mod features;
mod forecast;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod golden_train_step;
mod homes;
mod model_source;
pub mod optimiser;
mod pipeline;
mod preflight;
mod progress;
mod report;
mod run_dir;
mod schedule;
mod stages;
mod sweep;
mod trainer;

pub use error::TrainError;
pub use experiment::{Experiment, schema};
pub use experiment_error::ExperimentError;
pub use experiment_file::ExperimentFile;
pub use features::{FeatureCache, Features, KeptFeatures};
pub use forecast::{EvalForecast, Forecast, ModelForecast, StageCost, StageForecast};
pub use pipeline::{RunOptions, run};
pub use progress::StageProgress;
pub use run_dir::{Manifest, SweepManifest};
pub use schedule::{Schedule, Shape, StepScheduler};
pub use sweep::{Axis, Sweep, SweepForecast, SweepOutcome, Variant, run_sweep};

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct ReadmeDoctests;
