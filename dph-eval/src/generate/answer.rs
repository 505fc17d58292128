//! [`AnswerSet`]: the answers to a prompt.

use dph_core::CandidateScores;
use dph_model::Finish;
use serde::{Deserialize, Serialize};

/// The answers to a prompt, and which of them is chosen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AnswerSet {
    /// The answers by their numbers.
    pub answers: Vec<Answer>,
    /// Index of the chosen one.
    pub chosen: usize,
    /// What they cost.
    pub usage: Usage,
}

impl AnswerSet {
    /// The chosen answer.
    ///
    /// # Panics
    ///
    /// If there is none, which generation never gives.
    pub fn best(&self) -> &Answer {
        &self.answers[self.chosen]
    }
}

/// A generated answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// Its text, without the end of the turn and without a stop string.
    pub text: String,
    /// Its tokens, without the end of the turn. These are scored, followed by the end-of-turn token.
    pub tokens: Vec<u32>,
    /// The tokens that were drawn, with their log-probabilities. They differ from `tokens` where a stop string cut the answer.
    pub drawn: Vec<(u32, f32)>,
    /// Why it ended.
    pub end: AnswerEnd,
    /// Its log-likelihood, its length, and its rewards. An answer that was rejected has those so far.
    pub scores: CandidateScores,
    /// Mean divergence of the distributions of its tokens from the uniform one.
    pub self_certainty: f64,
    /// The rewards at every token, `[tokens][heads]`, if they are wanted.
    pub token_rewards: Vec<Vec<f32>>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerEnd {
    /// The model ended its turn.
    #[default]
    Stop,
    /// It contained a stop string.
    StopString,
    /// It reached the largest number of tokens. It was scored with an end-of-turn token that the model did not generate.
    Length,
    /// It filled the context of the model. It was scored with an end-of-turn token that the model did not generate.
    Context,
    /// Its reward was among the lowest.
    Rejected,
}

impl From<Finish> for AnswerEnd {
    fn from(finish: Finish) -> Self {
        match finish {
            Finish::Stop => Self::Stop,
            Finish::Length => Self::Length,
            Finish::Context => Self::Context,
        }
    }
}

/// Tokens that were computed for the answers to a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt: usize,
    /// Generated tokens of all answers, discarded ones included.
    pub generated: usize,
    /// End-of-turn tokens that were computed behind an answer for its reward so far.
    pub branches: usize,
    /// Tokens of prompts and answers that were scored after their generation, because the answer was cut.
    pub rescored: usize,
}

impl Usage {
    /// Tokens that were computed after the prompt.
    pub fn after_prompt(&self) -> usize {
        self.generated + self.branches + self.rescored
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        self.prompt += other.prompt;
        self.generated += other.generated;
        self.branches += other.branches;
        self.rescored += other.rescored;
    }
}
