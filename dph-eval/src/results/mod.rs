//! What an evaluation found, in memory and on disk.

mod documents;
mod error;
mod examples;
mod file;
mod format;
mod json_lines;
mod mean;

pub use documents::{DOCUMENTS_FILE, DocumentScores, ScoredCandidate};
pub use error::ResultsError;
pub use examples::{EXAMPLES_FILE, Example};
pub(crate) use format::is_zero;
pub use format::{
    Measurement, Mixture, RESULTS_FILE, RESULTS_FORMAT, Results, SuitePart, SuiteResult, TaskResult, Unscored,
};
