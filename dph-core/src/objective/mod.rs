//! Objectives: what training minimises.

mod dph;
mod orthogonality;

pub use dph::{DphForm, DphLoss, DphObjective};
pub use orthogonality::OrthogonalityObjective;
