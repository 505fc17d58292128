//! In which order sets are used: batches of similar length, mixtures of data sets, and the wrong answer of an epoch.

mod batches;
mod cycle;
mod distractor;
mod mixture;
mod positions;

pub use batches::{plan_batches, plan_rows, plan_set_batches};
pub use distractor::draw_distractor;
pub use mixture::{Mixture, MixtureError, MixtureItem};
pub use positions::draw_positions;
