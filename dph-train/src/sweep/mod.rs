//! Running a sweep. Variants share what several of them have in common: the features of a frozen model, a new model, the
//! stages whose settings and predecessors are the same, and the pass over a frozen model in which their heads are evaluated.

mod forecast;
mod job;
mod outcome;
mod preflight;
mod report;
mod run;
mod sharing;

pub use forecast::SweepForecast;
pub use outcome::SweepOutcome;
pub use run::run_sweep;
