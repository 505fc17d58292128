//! Optimisers, gradient clipping and learning-rate schedules.

mod clip;
mod laprop;
mod schedule;

pub use clip::clip_by_global_norm;
pub use laprop::{DecayTowards, LaProp, LaPropConfig, LaPropState};
pub use schedule::{Schedule, Shape, StepScheduler};
