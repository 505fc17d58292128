//! Runs a sweep. Work that several variants have in common is done once: the features of a frozen model, a new model, stages
//! with the same settings and the same predecessors, and the forward pass of the evaluation of heads on the same frozen model.

mod forecast;
mod job;
mod joined;
mod outcome;
mod preflight;
mod report;
mod resume;
mod rows;
mod run;
mod runs;
mod sharing;

pub use forecast::SweepForecast;
pub use outcome::SweepOutcome;
pub use resume::check_sweep_resume;
pub use run::run_sweep;
