//! Evaluation of models and heads on benchmark tasks.

mod classify;
mod error;
mod evaluate;
mod examples;
mod forecast;
mod heads;
mod joined;
mod mixture;
mod options;
mod plan;
mod scored_sets;
mod suite;
mod summary;
mod task_results;
mod unscored;
mod whole_texts;

pub use classify::bench_classifier;
pub use error::BenchError;
pub use evaluate::{Bench, BenchProgress, BenchStep, bench};
pub use forecast::{BenchForecast, TaskForecast};
pub use heads::{NamedHead, bench_heads};
pub use options::BenchOptions;
pub use plan::{BenchPlan, HELD_OUT, HeldOut, PlanError, PlannedTask};
pub use suite::{Suite, SuiteTask};
pub(crate) use summary::BASELINE;
