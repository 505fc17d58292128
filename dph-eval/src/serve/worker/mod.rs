//! The thread of a model: it takes requests from a bounded queue, computes those for scores that wait together, and in turn lets the answers
//! of all others grow by a token, in one pass over the model.

mod generate_job;
mod growing;
mod queue;
mod score_job;
mod thread;

pub(super) use generate_job::{EndedAnswer, Event, GenerateJob, GrownBy};
pub(super) use queue::{Queue, Share};
pub(super) use score_job::{ScoreJob, WorkError};
pub(super) use thread::{Worker, start};
