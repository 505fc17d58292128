//! Tasks: TOML files that say where rows are and how they become documents.

mod classes;
mod compile;
mod definition;
mod embedded;
mod hub_source;
mod keys;
mod kind;
mod metric;
mod read;
mod recipe;

pub use classes::Classes;
pub(crate) use definition::Source;
pub use definition::Task;
pub(crate) use hub_source::HubSource;
#[cfg(feature = "hub")]
pub(crate) use hub_source::{HubFiles, extension};
pub use kind::Kind;
pub use metric::TaskMetric;
pub(crate) use recipe::{JOINED, Recipe};
pub use recipe::{read_messages, read_prompt};
