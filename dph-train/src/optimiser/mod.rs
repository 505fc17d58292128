//! Optimisers and what goes with them.

mod clip;
mod laprop;

pub use clip::clip_by_global_norm;
pub use laprop::{DecayTowards, LaProp, LaPropConfig, LaPropState};
