//! `[sweep]`: an experiment in many variants.
//!
//! `[sweep]` has the same keys as `--set`, each with a list of values. Every combination of values is a variant.

mod axes;
mod expand;
mod label;
mod variants;

pub(crate) use axes::{axes, not_swept};
pub(crate) use expand::expand;
pub(crate) use label::value_text;
pub use variants::{Axis, Sweep, Variant};
