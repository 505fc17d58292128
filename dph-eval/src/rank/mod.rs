//! Candidate answers in the order of preference.

mod ranking;
mod request;

pub use ranking::{RankedCandidate, Ranking, ranking_order};
pub use request::RankRequest;
