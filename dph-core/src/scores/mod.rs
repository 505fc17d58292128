//! What a forward pass gives for a candidate, and how to choose by it.

mod best;
mod scorer;

pub use best::{best_first, best_index};
pub use scorer::{CandidateScores, Scorer};
