//! Objectives: what training minimises.

mod dph;

pub use dph::{DphForm, DphLoss, DphObjective};
