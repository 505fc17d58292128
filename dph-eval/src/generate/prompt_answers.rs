//! [`PromptAnswers`]: the answers to a prompt while they are generated.

use crate::generate::answer::{AnswerEnd, Usage};
use crate::generate::growing_answer::GrowingAnswer;
use crate::generate::settings::BestOf;

/// The answers to a prompt by their numbers.
#[derive(Debug, Default)]
pub(crate) struct PromptAnswers {
    pub answers: Vec<GrowingAnswer>,
    pub usage: Usage,
    /// Whether no further answers are generated.
    pub is_done: bool,
}

impl PromptAnswers {
    pub fn new(prompt: usize) -> Self {
        Self { usage: Usage { prompt, ..Usage::default() }, ..Self::default() }
    }

    /// The values of the answers that were not rejected.
    pub fn values(&self, settings: &BestOf) -> Vec<f64> {
        let whole = self.answers.iter().filter(|answer| answer.end != Some(AnswerEnd::Rejected));
        whole.map(|answer| answer.value(settings)).collect()
    }
}
