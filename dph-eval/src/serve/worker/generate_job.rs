//! [`GenerateJob`]: a request that waits for answers.

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::score_job::WorkError;
use crate::generate::{Answer, AnswerSet, BestOf};

/// Prompts that wait for answers.
pub struct GenerateJob {
    /// The prompts in tokens, which the model can continue.
    pub prompts: Vec<Vec<u32>>,
    /// How answers are generated.
    pub settings: BestOf,
    /// Whether every token is told.
    pub streams: bool,
    /// Takes what happens. It is closed once nobody waits any more.
    pub events: mpsc::UnboundedSender<Event>,
    /// The place in the queue, which is free again when the job is done.
    pub place: OwnedSemaphorePermit,
}

impl GenerateJob {
    /// Tokens of the prompts.
    pub fn tokens(&self) -> usize {
        self.prompts.iter().map(Vec::len).sum()
    }
}

/// What happens while answers are generated.
pub enum Event {
    /// An answer has grown by a token.
    Token(GrownBy),
    /// An answer has ended, and others grow.
    Ended(Box<EndedAnswer>),
    /// All answers have ended.
    Done(Result<Vec<AnswerSet>, WorkError>),
}

/// An answer that has ended.
pub struct EndedAnswer {
    /// Index of the prompt.
    pub prompt: usize,
    /// Number of the answer.
    pub number: usize,
    pub answer: Answer,
}

/// A token of an answer.
pub struct GrownBy {
    /// Index of the prompt.
    pub prompt: usize,
    /// Number of the answer.
    pub answer: usize,
    /// The token.
    pub token: u32,
    /// The text that it completes.
    pub text: String,
    /// Its log-probability.
    pub log_prob: f32,
    /// The rewards so far, if they are wanted.
    pub rewards: Vec<f32>,
}
