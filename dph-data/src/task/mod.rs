//! Tasks: TOML files that say where rows are and how they become documents.

mod compile;
mod definition;
mod embedded;
mod keys;
mod kind;
mod metric;
mod read;
mod recipe;

pub(crate) use definition::Source;
pub use definition::Task;
pub use kind::Kind;
pub use metric::TaskMetric;
pub(crate) use recipe::{JOINED, Recipe};
