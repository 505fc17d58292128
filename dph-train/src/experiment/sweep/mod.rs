//! `[sweep]`: an experiment in many variants.
//!
//! `[sweep]` has the same keys as `--set`, each with a list of values. Every combination of values is a variant. The key `task` is a list of
//! tasks, each of which is trained on alone.

mod axes;
mod expand;
mod label;
mod task_axis;
mod variants;

pub(crate) use axes::{axes, not_swept};
pub(crate) use expand::expand;
pub(crate) use label::{label, value_text};
pub(crate) use task_axis::with_splits;
pub use variants::{Axis, Sweep, SweptTask, Variant};
