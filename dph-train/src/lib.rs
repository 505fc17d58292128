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
//! An [`Experiment`] defines a language model, a preference head, stages of training and an evaluation. [`run`] executes
//! it and writes a run directory. A stage that trains a head on a frozen model computes the model's [`Features`] once and
//! caches them on disk. All random numbers depend only on the experiment's seed and the step, so an interrupted and
//! resumed run writes the same bytes as an uninterrupted run.
//!
//! An experiment with a `[sweep]` has one run for each combination of the swept values. [`run_sweep`] executes them; stages
//! and features that several runs share are computed once.
//!
//! # Modules
//!
//! [`experiment`] defines and checks the keys of the file, `model` describes the model that a run starts from, `run` checks an
//! experiment and executes it, `data` loads the data sets, `stages` trains, `cache` stores what a frozen model computes once,
//! `trainer` connects stages to burn's `SupervisedTraining`, [`optimiser`] has LaProp and the schedules, `sweep` runs variants,
//! and `estimate` and `forecast` are for `--dry-run`.

// `derive(RecordState)` expects these names in the crate root.
use burn::optim::{RecordState, StateSink, StateSource};

mod atomic;
mod cache;
mod data;
mod error;
mod error_class;
mod estimate;
pub mod experiment;
mod forecast;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod golden_train_step;
mod model;
pub mod optimiser;
mod progress;
mod run;
mod stages;
mod sweep;
mod trainer;

pub use cache::features::{FeatureCache, Features, SelectedFeatures};
pub use dph_eval::Manifest;
pub use error::TrainError;
pub use experiment::error::ExperimentError;
pub use experiment::file::ExperimentFile;
pub use experiment::sweep::{Axis, Sweep, Variant};
pub use experiment::{Experiment, schema};
pub use forecast::{EvalForecast, Forecast, ModelForecast, StageCost, StageForecast};
pub use optimiser::{Schedule, Shape, StepScheduler};
pub use progress::StageProgress;
pub use run::{RunOptions, check_resume, run};
pub use sweep::{SweepForecast, SweepOutcome, check_sweep_resume, run_sweep};

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct ReadmeDoctests;
