//! Evaluation of models and heads on benchmark tasks.

mod evaluate;
mod heads;
mod mixture;
mod options;
mod plan;
mod suite;
mod summary;
mod task_results;
mod unscored;
mod whole_texts;

pub use evaluate::{Bench, BenchError, BenchProgress, BenchStep, bench};
pub use heads::{NamedHead, bench_heads};
pub use options::BenchOptions;
pub use plan::{BenchPlan, HELD_OUT, HeldOut, PlanError, PlannedTask};
pub use suite::{Suite, SuiteTask};
pub(crate) use summary::BASELINE;
