//! [`TokenSequence`]: a conversation in tokens, and where its answers are.

use std::ops::Range;

use dph_core::{Candidate, CandidateSet};

use crate::chat::encode::control::ControlTokens;
use crate::chat::encode::placed_token::PlacedToken;
use crate::chat::error::ChatError;

/// A conversation in tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct TokenSequence {
    pub tokens: Vec<u32>,
    /// The answers of the assistant, in their order.
    pub answers: Vec<AnswerTokens>,
}

/// The tokens of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AnswerTokens {
    /// The tokens that overlap the text of the answer.
    pub answer: Range<usize>,
    /// The end of the turn: the place behind the first control token that follows the answer.
    pub end: usize,
}

impl AnswerTokens {
    /// The tokens that overlap these bytes, up to and including the first control token behind them. `None` if there is no
    /// control token.
    pub(crate) fn find(
        tokens: &[PlacedToken],
        bytes: &Range<usize>,
        control: &ControlTokens,
    ) -> Option<Self> {
        let answer = match overlapping(tokens, bytes) {
            Some(answer) => answer,
            // An empty answer is before the first token behind it.
            None => {
                let start =
                    tokens.iter().position(|token| token.start >= bytes.end && token.end > bytes.end)?;
                start..start
            }
        };
        if let Some(end) = tokens[answer.end..].iter().position(|token| control.contains(token.id)) {
            return Some(Self { end: answer.end + end + 1, answer });
        }
        // A control token that strips the blanks before it overlaps them.
        let last = answer.clone().next_back().filter(|&last| control.contains(tokens[last].id))?;
        Some(Self { answer: answer.start..last, end: last + 1 })
    }

    /// As [`find`](Self::find), in a conversation whose last token ends the turn.
    pub(crate) fn find_in_whole(
        tokens: &[PlacedToken],
        bytes: &Range<usize>,
        control: &ControlTokens,
    ) -> Self {
        let found = Self::find(tokens, bytes, control).map(|found| found.answer);
        let answer = found.or_else(|| overlapping(tokens, bytes)).unwrap_or(tokens.len()..tokens.len());
        Self { answer, end: tokens.len() }
    }
}

/// The tokens that overlap these bytes.
fn overlapping(tokens: &[PlacedToken], bytes: &Range<usize>) -> Option<Range<usize>> {
    let overlaps = |token: &PlacedToken| token.start.max(bytes.start) < token.end.min(bytes.end);
    Some(tokens.iter().position(overlaps)?..tokens.iter().rposition(overlaps)? + 1)
}

/// Conversations that differ in their last answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Conversations {
    /// Tokens at the beginning of all of them, before the last answer.
    pub head: Vec<u32>,
    /// The answers before the last one, in the first of the conversations.
    pub earlier: Vec<AnswerTokens>,
    /// The rest of each conversation.
    pub tails: Vec<Tail>,
}

/// The tokens of a conversation behind the common ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tail {
    pub tokens: Vec<u32>,
    /// The last answer, in `tokens`.
    pub last: AnswerTokens,
    /// The last token of the answer, if it has no place in `tokens`.
    pub next: Option<u32>,
}

impl Tail {
    /// Adds a token at the beginning.
    fn prepend(&mut self, token: u32) {
        self.tokens.insert(0, token);
        let AnswerTokens { answer, end } = &mut self.last;
        (*answer, *end) = (answer.start + 1..answer.end + 1, *end + 1);
    }

    /// Removes the tokens `pad` from the end.
    fn trim(&mut self, pad: u32) {
        let end = self.tokens.iter().rposition(|token| *token != pad).map_or(0, |last| last + 1);
        self.tokens.truncate(end);
        let AnswerTokens { answer, .. } = &self.last;
        self.last =
            AnswerTokens { answer: answer.start.min(end)..answer.end.min(end), end: self.last.end.min(end) };
    }
}

/// The length of a text in UTF-8 bytes and in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextLength {
    bytes: usize,
    chars: usize,
}

impl TextLength {
    pub(crate) fn new(text: &str) -> Self {
        Self { bytes: text.len(), chars: text.chars().count() }
    }
}

impl Conversations {
    /// The conversations without the tokens `pad` behind the last other one of each. They end with this token, which may stand before
    /// the last answer. Nothing is left of a conversation of padding.
    pub(crate) fn without_padding(mut self, pad: u32) -> Self {
        self.tails.iter_mut().for_each(|tail| tail.trim(pad));
        while self.tails.iter().any(|tail| tail.tokens.is_empty()) {
            let Some(token) = self.head.pop() else { break };
            for tail in &mut self.tails {
                tail.prepend(token);
                tail.trim(pad);
            }
        }
        self
    }

    /// The candidate set of the last answers, whose texts have these lengths.
    ///
    /// The prompt is the longest common prefix of the conversations that touches no last answer. It is empty if they share no
    /// token. A conversation that begins with its last answer has `start` before it, so that its first token is predicted.
    pub(crate) fn candidate_set(
        self,
        lengths: impl Iterator<Item = TextLength>,
        start: Option<u32>,
    ) -> Result<CandidateSet, ChatError> {
        let Self { head: mut prompt, mut earlier, mut tails } = self;
        if prompt.is_empty() {
            // Its earlier answers share its first token.
            if tails.first().is_some_and(|tail| tail.last.answer.start == 0) {
                earlier.clear();
            }
            for tail in tails.iter_mut().filter(|tail| tail.last.answer.start == 0) {
                tail.prepend(start.ok_or(ChatError::NoPrompt)?);
            }
        }
        // A candidate has a token of its own, also where all of its answer is in `next`.
        let own = |tail: &Tail| tail.last.answer.start.min(tail.tokens.len().saturating_sub(1));
        let limit = tails.iter().map(own).min().unwrap_or(0);
        let first = tails.first().map_or(&[][..], |tail| &tail.tokens[..limit]);
        let shared = tails.iter().fold(limit, |shared, tail| {
            first[..shared].iter().zip(&tail.tokens).take_while(|(a, b)| a == b).count()
        });
        prompt.extend_from_slice(&first[..shared]);
        let earlier = earlier.into_iter().map(|earlier| earlier.answer.start..earlier.end);
        let earlier_answers = earlier.filter(|earlier| earlier.end <= prompt.len()).collect();
        let candidates =
            tails.iter().zip(lengths).map(|(Tail { tokens, last, next }, TextLength { bytes, chars })| {
                Candidate {
                    tokens: tokens[shared..last.end].to_vec(),
                    answer: last.answer.start - shared..last.answer.end - shared,
                    next: *next,
                    bytes,
                    chars,
                }
            });
        Ok(CandidateSet {
            candidates: candidates.collect(),
            prompt,
            earlier_answers,
            ..CandidateSet::default()
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn padding_at_the_end_is_left_out() {
        let tail = |tokens: &[u32], answer: Range<usize>| Tail {
            tokens: tokens.to_vec(),
            last: AnswerTokens { answer, end: tokens.len() },
            next: None,
        };
        let set = |head: &[u32], tails: &[Tail]| {
            let conversations =
                Conversations { head: head.to_vec(), tails: tails.to_vec(), ..Conversations::default() };
            let lengths = tails.iter().map(|_| TextLength::new(""));
            conversations.without_padding(0).candidate_set(lengths, Some(9)).unwrap()
        };
        let whole = |set: &CandidateSet| -> Vec<Vec<u32>> {
            let whole = |candidate: &Candidate| [&set.prompt[..], &candidate.tokens].concat();
            set.candidates.iter().map(whole).collect()
        };
        let found = set(&[1, 2], &[tail(&[5, 0, 6, 0, 0], 0..3), tail(&[7, 8], 0..1)]);
        assert_eq!(whole(&found), [vec![1, 2, 5, 0, 6], vec![1, 2, 7, 8]]);
        assert_eq!(found.candidates[0].answer, 0..3);
        // An empty answer: the last other token is before it.
        let found = set(&[1, 2, 0], &[tail(&[0], 0..0), tail(&[5, 0], 0..1)]);
        assert_eq!(whole(&found), [vec![1, 2], vec![1, 2, 0, 5]]);
        assert_eq!((found.prompt.len(), found.candidates[1].answer.clone()), (1, 2..3));
        // Only padding.
        let found = set(&[0], &[tail(&[0], 0..0)]);
        assert_eq!(whole(&found), [vec![9]]);
    }
}
