//! [`TokenSequence`]: a conversation in tokens, and where its answers are.

use std::ops::Range;

use dph_core::{Candidate, CandidateSet};

use super::control::ControlTokens;
use super::encoder::PlacedToken;
use super::error::ChatError;

/// A conversation in tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TokenSequence {
    pub tokens: Vec<u32>,
    /// The answers of the assistant, in their order.
    pub answers: Vec<AnswerTokens>,
}

/// The tokens of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AnswerTokens {
    /// The tokens that overlap the text of the answer.
    pub answer: Range<usize>,
    /// The end of the turn: the place behind the first control token that follows the answer.
    pub end: usize,
}

impl AnswerTokens {
    /// The tokens that overlap these bytes, up to and including the first control token behind them. `None` if there is no
    /// control token.
    pub(super) fn find(
        tokens: &[PlacedToken],
        bytes: &Range<usize>,
        control: &ControlTokens,
    ) -> Option<Self> {
        let overlaps = |token: &PlacedToken| token.start.max(bytes.start) < token.end.min(bytes.end);
        let answer = match tokens.iter().position(overlaps) {
            Some(start) => start..tokens.iter().rposition(overlaps)? + 1,
            // An empty answer is before the first token behind it.
            None => {
                let start =
                    tokens.iter().position(|token| token.start >= bytes.end && token.end > bytes.end)?;
                start..start
            }
        };
        let end = tokens[answer.end..].iter().position(|token| control.contains(token.id))?;
        Some(Self { end: answer.end + end + 1, answer })
    }
}

/// The candidate set of conversations that differ in their last answer. `bytes` are the lengths of these answers.
///
/// The prompt is the longest common prefix of the conversations that touches no last answer. If they share no token, it is
/// `start`.
pub(super) fn candidate_set(
    sequences: Vec<TokenSequence>,
    bytes: impl Iterator<Item = usize>,
    start: Option<u32>,
) -> Result<CandidateSet, ChatError> {
    let lasts: Vec<AnswerTokens> = sequences
        .iter()
        .map(|sequence| sequence.answers.last().cloned().unwrap_or(AnswerTokens { answer: 0..0, end: 0 }))
        .collect();
    let Some(first) = sequences.first() else { return Ok(CandidateSet::default()) };
    let limit = lasts.iter().map(|last| last.answer.start).min().unwrap_or(0);
    let shared = sequences.iter().fold(limit, |shared, sequence| {
        let pairs = first.tokens[..shared].iter().zip(&sequence.tokens);
        pairs.take_while(|(a, b)| a == b).count()
    });
    let mut prompt = first.tokens[..shared].to_vec();
    if prompt.is_empty() {
        prompt.push(start.ok_or(ChatError::NoPrompt)?);
    }
    let earlier = first.answers[..first.answers.len().saturating_sub(1)].iter();
    let earlier_answers = earlier
        .map(|earlier| earlier.answer.start..earlier.end)
        .filter(|earlier| earlier.end <= shared)
        .collect();
    let candidates = sequences.iter().zip(lasts).zip(bytes).map(|((sequence, last), bytes)| Candidate {
        tokens: sequence.tokens[shared..last.end].to_vec(),
        answer: last.answer.start - shared..last.answer.end - shared,
        bytes,
    });
    Ok(CandidateSet { candidates: candidates.collect(), prompt, earlier_answers, ..CandidateSet::default() })
}
