//! [`ScoreJob`]: a request that waits for its scores.

use dph_core::{CandidateScores, CandidateSet};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Candidate sets that wait for their scores.
pub struct ScoreJob {
    /// The sets, which the model can score.
    pub sets: Vec<CandidateSet>,
    /// Tokens that are computed for them.
    pub tokens: usize,
    /// Takes the scores of every candidate of every set. It is closed once nobody waits any more.
    pub reply: oneshot::Sender<Outcome>,
    /// The place in the queue, which is free again when the job is done.
    pub place: OwnedSemaphorePermit,
}

/// The scores of every candidate of every set.
pub type Outcome = Result<Vec<Vec<CandidateScores>>, WorkError>;

/// Why the model gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    /// The model refused the request.
    #[error("{0}")]
    Refused(String),
    /// A defect of the program.
    #[error("the computation of this request failed; the log of the service says more")]
    Panic,
}
