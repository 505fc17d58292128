//! What a forward pass gives for a candidate, and how to choose by it.

mod best;
mod scorer;
mod token_rewards;

pub use best::{best_first, best_index};
pub use scorer::{CandidateScores, Scorer};
pub use token_rewards::TokenRewards;
