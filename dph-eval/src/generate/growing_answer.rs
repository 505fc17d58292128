//! [`GrowingAnswer`]: an answer while it grows.

use dph_core::CandidateScores;
use dph_data::{ChatError, ChatTokenizer};
use dph_model::Choice;

use crate::generate::answer::{Answer, AnswerEnd};
use crate::generate::settings::BestOf;
use crate::generate::stop_strings::{Cut, StopStrings};

/// An answer while it grows.
#[derive(Debug, Clone, Default)]
pub(crate) struct GrowingAnswer {
    pub tokens: Vec<u32>,
    /// The log-probability of each token.
    log_probs: Vec<f32>,
    loglik: f64,
    certainty: f64,
    /// Why it ended; `None` while it grows.
    pub end: Option<AnswerEnd>,
    /// Where a stop string cut it.
    cut: Option<Cut>,
    /// Log-likelihood and rewards of the final tokens, if they were scored after the others. While others grow it is compared with
    /// them by those so far, whenever it is scored.
    rescored: Option<(f64, Vec<f32>)>,
    /// Rewards of the heads, so far.
    pub rewards: Vec<f32>,
    pub token_rewards: Vec<Vec<f32>>,
}

impl GrowingAnswer {
    /// Adds a choice. Stop strings may end the answer.
    pub fn add(
        &mut self,
        choice: &Choice,
        stops: &StopStrings,
        tokenizer: &ChatTokenizer,
    ) -> Result<(), ChatError> {
        if let (Some(token), Some(drawn)) = (choice.token, choice.drawn) {
            self.tokens.push(token);
            self.log_probs.push(drawn.log_prob);
            self.loglik += f64::from(drawn.log_prob);
            self.certainty += f64::from(drawn.certainty);
        }
        self.end = choice.finish.map(AnswerEnd::from);
        if choice.token.is_some()
            && let Some(cut) = stops.find(&self.tokens, tokenizer)?
        {
            (self.cut, self.end) = (Some(cut), Some(AnswerEnd::StopString));
        }
        Ok(())
    }

    /// The value by which it is compared with others, so far; NaN if it has no reward.
    pub fn value(&self, settings: &BestOf) -> f64 {
        settings.value(&self.rewards, self.loglik, self.final_tokens().len())
    }

    /// Whether its scores are those of other tokens than it has in the end.
    pub fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    /// The tokens that the answer has in the end.
    pub fn final_tokens(&self) -> &[u32] {
        self.cut.as_ref().map_or(&self.tokens, |cut| &cut.tokens)
    }

    /// Notes the scores of the final tokens.
    pub fn rescore(&mut self, loglik: f64, rewards: Vec<f32>) {
        self.rescored = Some((loglik, rewards));
    }

    /// Whether the scores of the final tokens are noted.
    pub fn is_rescored(&self) -> bool {
        self.rescored.is_some()
    }

    /// Takes the scores of the final tokens, where they were noted.
    pub fn take_scores(&mut self) {
        if let Some(scores) = self.rescored.take() {
            (self.loglik, self.rewards) = scores;
        }
    }

    /// The answer.
    pub fn finish(mut self, tokenizer: &ChatTokenizer) -> Result<Answer, ChatError> {
        self.take_scores();
        let length = self.tokens.len();
        let self_certainty = self.certainty / length.max(1) as f64;
        let drawn = self.tokens.iter().copied().zip(self.log_probs).collect();
        let (text, tokens) = match self.cut {
            Some(Cut { text, tokens }) => (text, tokens),
            None => (tokenizer.decode(&self.tokens)?, self.tokens),
        };
        let scores = CandidateScores {
            loglik: self.loglik,
            tokens: tokens.len(),
            bytes: text.len(),
            chars: text.chars().count(),
            unconditional: None,
            rewards: self.rewards,
            class: None,
        };
        let end = self.end.unwrap_or_default();
        Ok(Answer { text, tokens, drawn, end, scores, self_certainty, token_rewards: self.token_rewards })
    }
}
