//! What an evaluation found, in memory and on disk.

mod documents;
mod error;
mod file;
mod format;
mod mean;

pub use documents::{DOCUMENTS_FILE, DocumentScores, ScoredCandidate};
pub use error::ResultsError;
pub use format::{
    Measurement, Mixture, RESULTS_FILE, RESULTS_FORMAT, Results, SuitePart, SuiteResult, TaskResult, Unscored,
};
