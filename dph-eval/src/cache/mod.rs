//! Scores that were already computed, on disk.

mod record_log;
mod score_cache;

pub(crate) use score_cache::ScoreKey;
pub use score_cache::{CACHE_FILE, ScoreCache};
