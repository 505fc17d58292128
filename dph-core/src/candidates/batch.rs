//! [`Batch`]: candidate sets in the layout for one forward pass. Every prompt is stored once.

use std::ops::Range;

use super::candidate_set::{Candidate, CandidateSet};
use super::prefix_row::PrefixRow;
use super::span::CandidateSpan;

/// Segment number of a prompt, or of the prefix of several prompts; candidates count from 1 within their row.
pub const PROMPT_SEGMENT: i32 = 0;
/// Segment number of padding.
pub const PADDING_SEGMENT: i32 = -1;
/// Segment number of the rest of the first prompt after a prefix; the rests of further prompts count downwards.
pub const REST_SEGMENT: i32 = -2;

/// Which tokens of a candidate get a log-probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetTokens {
    /// No token: only hidden states are needed.
    None,
    /// The answer without the end of its turn: the tokens of the likelihood of an answer.
    Answer,
    /// The answer and the rest of its turn: the tokens that a language model is trained on.
    Turn,
    /// Like `Turn`, and the earlier answers in the prompt: all tokens of the assistant in a conversation. The earlier
    /// answers belong to the first candidate.
    AllTurns,
}

impl TargetTokens {
    /// The targets among the tokens of a candidate.
    fn candidate_targets(self, candidate: &Candidate) -> Range<usize> {
        match self {
            Self::None => 0..0,
            Self::Answer => candidate.answer.clone(),
            Self::Turn | Self::AllTurns => candidate.turn(),
        }
    }

    /// The targets in the prompt.
    fn prompt_targets(self, set: &CandidateSet) -> &[Range<usize>] {
        match self {
            Self::AllTurns => &set.earlier_answers,
            _ => &[],
        }
    }
}

/// A token whose log-probability is computed, and the state that predicts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Flat index (`row * seq + column`) of the hidden state that predicts the token.
    pub state: usize,
    /// The token.
    pub token: u32,
    /// The candidate it belongs to, counted over the whole batch.
    pub candidate: usize,
}

/// Candidate sets in the layout for one forward pass.
///
/// A row holds one candidate set: the prompt, then its candidates one after another, then padding.
///
/// ```text
/// tokens     p0 p1 p2 | a0 a1 a2 | b0 b1 | pad
/// segments    0  0  0 |  1  1  1 |  2  2 |  -1
/// positions   0  1  2 |  3  4  5 |  3  4 |   0
/// ```
///
/// A token attends to the earlier tokens of its own segment and of the prompt, and positions continue from the end of
/// the prompt. So each candidate gets the same numbers as in a sequence of its own.
///
/// A row may also hold several sets whose prompts begin with the same tokens ([`Batch::pack_rows`]). This prefix is stored once.
/// The rest of a prompt precedes its candidates, attends to the prefix, and is visible to these candidates only:
///
/// ```text
/// tokens     p0 p1 | q0 | a0 a1 | b0 | r0 r1 | c0 | pad
/// segments    0  0 | -2 |  1  1 |  2 | -3 -3 |  3 |  -1
/// positions   0  1 |  2 |  3  4 |  3 |  2  3 |  4 |   0
/// ```
///
/// To train a language model on whole conversations, [`Batch::pack_conversations`] puts several of them into one row.
/// Each conversation is a segment with positions from 0, does not attend to the others, and has no prompt.
///
/// A batch is in host memory and can be built on any thread while the device is busy.
///
/// The flat vectors are `[rows, seq]`, row by row; row `i` holds set `i`, several sets with one prefix, or several conversations.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// Number of rows.
    pub rows: usize,
    /// Padded length of the rows in tokens.
    pub seq: usize,
    /// Token ids, `[rows, seq]`.
    pub tokens: Vec<i32>,
    /// Position of each token in its own sequence (prompt and one candidate), `[rows, seq]`.
    pub positions: Vec<i32>,
    /// [`PROMPT_SEGMENT`], the candidate's number within its row from 1, [`PADDING_SEGMENT`], or a number from [`REST_SEGMENT`]
    /// downwards, `[rows, seq]`.
    pub segments: Vec<i32>,
    /// Tokens whose log-probability is computed, ordered by candidate and position.
    pub targets: Vec<Target>,
    /// Flat index of the first token of the answer of each candidate. In rows of conversations it is the first token of the
    /// conversation.
    pub answers: Vec<usize>,
    /// Flat index of the end-of-turn token of each candidate of the batch.
    pub ends: Vec<usize>,
    /// Range of candidates of each row.
    pub sets: Vec<Range<usize>>,
}

impl Batch {
    /// Lays out `sets`, padding with the token id `pad` to the longest of them.
    ///
    /// # Panics
    ///
    /// If a candidate is empty, or if no token precedes its answer (whose first token would have no predictor).
    pub fn pack<'a>(
        sets: impl IntoIterator<Item = &'a CandidateSet>,
        wanted: TargetTokens,
        pad: u32,
    ) -> Self {
        let rows: Vec<_> = sets.into_iter().map(PrefixRow::alone).collect();
        Self::pack_rows(&rows, wanted, pad)
    }

    /// Lays out rows of several sets, padding with the token id `pad` to the longest row.
    ///
    /// # Panics
    ///
    /// As [`pack`](Self::pack); also if one of several prompts in a row is not longer than their prefix, as the prefix would
    /// then end with the predictor of its answers.
    pub fn pack_rows(rows: &[PrefixRow<'_>], wanted: TargetTokens, pad: u32) -> Self {
        let seq = rows.iter().map(PrefixRow::packed_len).max().unwrap_or(0);
        let mut batch = Self::padding(rows.len(), seq, pad);
        for (index, row) in rows.iter().enumerate() {
            batch.lay_out(index, row, wanted);
        }
        batch
    }

    /// Lays out conversations, each the prompt and the first candidate of a set, several per row, padded with the
    /// token id `pad` to the longest row.
    ///
    /// The candidates of the batch are the conversations in their order, including their prompts. The first token of
    /// a conversation is not a target, as nothing predicts it.
    pub fn pack_conversations(rows: &[Vec<&CandidateSet>], wanted: TargetTokens, pad: u32) -> Self {
        let length = |set: &&CandidateSet| set.conversation_len();
        let seq = rows.iter().map(|row| row.iter().map(length).sum()).max().unwrap_or(0);
        let mut batch = Self::padding(rows.len(), seq, pad);
        for (row, sets) in rows.iter().enumerate() {
            let first = batch.ends.len();
            let mut at = row * seq;
            for (index, set) in sets.iter().enumerate() {
                let none = Candidate::default();
                let candidate = set.candidates.first().unwrap_or(&none);
                let prompt_len = set.prompt.len();
                batch.write(at, &set.prompt, index as i32 + 1, 0);
                batch.write(at + prompt_len, &candidate.tokens, index as i32 + 1, prompt_len);
                let own = wanted.candidate_targets(candidate);
                let own = prompt_len + own.start..prompt_len + own.end;
                let earlier = wanted.prompt_targets(set).iter().cloned();
                batch.add_targets(at, earlier.chain([own]), first + index);
                batch.answers.push(at);
                at += set.conversation_len();
                batch.ends.push(at.saturating_sub(1));
            }
            batch.sets.push(first..batch.ends.len());
        }
        batch
    }

    fn padding(rows: usize, seq: usize, pad: u32) -> Self {
        Batch {
            rows,
            seq,
            tokens: vec![pad as i32; rows * seq],
            positions: vec![0; rows * seq],
            segments: vec![PADDING_SEGMENT; rows * seq],
            ..Batch::default()
        }
    }

    /// Adds the tokens at these positions of a sequence that starts at `start`. Each is predicted by the token before
    /// it.
    fn add_targets(&mut self, start: usize, places: impl Iterator<Item = Range<usize>>, candidate: usize) {
        for place in places.flatten().filter(|&place| place > 0) {
            let state = start + place - 1;
            self.targets.push(Target { state, token: self.tokens[state + 1] as u32, candidate });
        }
    }

    fn lay_out(&mut self, index: usize, row: &PrefixRow<'_>, wanted: TargetTokens) {
        let (start, first, prefix) = (index * self.seq, self.ends.len(), row.prefix);
        if let Some(set) = row.sets.first() {
            self.write(start, &set.prompt[..prefix], PROMPT_SEGMENT, 0);
        }
        let mut at = start + prefix;
        for (set, segment) in row.sets.iter().zip((0..).map(|index| REST_SEGMENT - index)) {
            let (prompt_len, rest) = (set.prompt.len(), &set.prompt[prefix..]);
            assert!(!rest.is_empty() || row.sets.len() == 1, "candidate set {:?} is all prefix", set.id);
            self.write(at, rest, segment, prefix);
            // The flat index of a token of the prompt.
            let place = |token: usize| if token < prefix { start + token } else { at + token - prefix };
            let candidate = self.ends.len();
            for token in wanted.prompt_targets(set).iter().cloned().flatten().filter(|&token| token > 0) {
                self.targets.push(Target { state: place(token - 1), token: set.prompt[token], candidate });
            }
            let last = prompt_len.checked_sub(1).map(place);
            at += rest.len();
            for candidate in &set.candidates {
                assert!(!candidate.tokens.is_empty(), "candidate set {:?} has an empty candidate", set.id);
                let before = prompt_len + candidate.answer.start;
                assert!(before > 0, "candidate set {:?} has no token before an answer", set.id);
                let index = self.ends.len();
                self.write(at, &candidate.tokens, (index - first) as i32 + 1, prompt_len);
                let token = |i: usize| candidate.tokens.get(i).copied().or(candidate.next);
                self.targets.extend(wanted.candidate_targets(candidate).filter_map(|i| {
                    // The first token of a candidate is predicted by the last token of the prompt.
                    let state = last.filter(|_| i == 0).unwrap_or(at + i.max(1) - 1);
                    Some(Target { state, token: token(i)?, candidate: index })
                }));
                self.answers.push(at + candidate.answer.start);
                at += candidate.tokens.len();
                self.ends.push(at - 1);
            }
        }
        self.sets.push(first..self.ends.len());
    }

    fn write(&mut self, at: usize, tokens: &[u32], segment: i32, first_position: usize) {
        for (i, &token) in tokens.iter().enumerate() {
            self.tokens[at + i] = token as i32;
            self.positions[at + i] = (first_position + i) as i32;
            self.segments[at + i] = segment;
        }
    }

    /// Number of candidates in the batch.
    pub fn candidates(&self) -> usize {
        self.ends.len()
    }

    /// Sums one value per target, in the order of [`targets`](Self::targets), over the targets of each candidate,
    /// `[candidates]`: for log-probabilities, the log-likelihood of each candidate.
    pub fn sum_by_candidate(&self, values: impl IntoIterator<Item = f64>) -> Vec<f64> {
        let mut sums = vec![0.0; self.candidates()];
        for (target, value) in self.targets.iter().zip(values) {
            sums[target.candidate] += value;
        }
        sums
    }

    /// The spans of each candidate and its prompt. In rows of conversations the prompt is empty and the candidate is
    /// the whole conversation.
    pub fn spans(&self) -> Vec<CandidateSpan> {
        let mut spans = Vec::with_capacity(self.candidates());
        for (row, set) in self.sets.iter().enumerate() {
            let start = row * self.seq;
            let segments = &self.segments[start..start + self.seq];
            let count = |from: usize, is: fn(i32) -> bool| {
                segments[from..].iter().take_while(|&&segment| is(segment)).count()
            };
            let first = start..start + count(0, |segment| segment == PROMPT_SEGMENT);
            let (mut prefix, mut prompt) = (0..0, first.clone());
            let mut at = first.end;
            for (&answer, &end) in self.answers[set.clone()].iter().zip(&self.ends[set.clone()]) {
                let rest = count(at - start, |segment| segment <= REST_SEGMENT);
                if rest > 0 {
                    (prefix, prompt) = (first.clone(), at..at + rest);
                    at += rest;
                }
                spans.push(CandidateSpan {
                    prefix: prefix.clone(),
                    prompt: prompt.clone(),
                    context: at..answer,
                    turn: answer..end + 1,
                });
                at = end + 1;
            }
        }
        spans
    }

    /// Whether every row is a single sequence, so that a causal mask is sufficient.
    pub fn is_plain(&self) -> bool {
        self.sets.iter().all(|set| set.len() <= 1)
    }

    /// Whether the token at column `query` of a row attends to the token at column `key`.
    pub fn visible(&self, row: usize, query: usize, key: usize) -> bool {
        let segment = |column: usize| self.segments[row * self.seq + column];
        let is_rest = |segment: &i32| *segment <= REST_SEGMENT;
        // The rest of the prompt of a candidate is the nearest one before it.
        let rest =
            || (key..query).rev().map(segment).find(is_rest).filter(|_| segment(query) > PROMPT_SEGMENT);
        let visible = [Some(PROMPT_SEGMENT), Some(segment(query)), rest()];
        key <= query && visible.contains(&Some(segment(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidates::Candidate;

    fn set(prompt: &[u32], candidates: &[&[u32]]) -> CandidateSet {
        CandidateSet {
            prompt: prompt.to_vec(),
            candidates: candidates.iter().map(|t| Candidate::new(t.to_vec(), t.len() - 1)).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn the_layout_is_that_of_the_documentation() {
        let batch = Batch::pack(
            [&set(&[10, 11, 12], &[&[20, 21, 9], &[30, 9]]), &set(&[10, 11], &[&[40, 9]])],
            TargetTokens::Answer,
            1,
        );
        assert_eq!((batch.rows, batch.seq), (2, 8));
        assert_eq!(batch.tokens, [10, 11, 12, 20, 21, 9, 30, 9, 10, 11, 40, 9, 1, 1, 1, 1]);
        assert_eq!(batch.segments, [0, 0, 0, 1, 1, 1, 2, 2, 0, 0, 1, 1, -1, -1, -1, -1]);
        assert_eq!(batch.positions, [0, 1, 2, 3, 4, 5, 3, 4, 0, 1, 2, 3, 0, 0, 0, 0]);
        assert_eq!(batch.ends, [5, 7, 11]);
        assert_eq!(batch.sets, [0..2, 2..3]);
        let targets: Vec<_> = batch.targets.iter().map(|t| (t.state, t.token, t.candidate)).collect();
        assert_eq!(targets, [(2, 20, 0), (3, 21, 0), (2, 30, 1), (9, 40, 2)]);
        assert!(!batch.is_plain());
        let span = |prompt, turn: Range<usize>| CandidateSpan {
            prefix: 0..0,
            prompt,
            context: turn.start..turn.start,
            turn,
        };
        assert_eq!(batch.spans(), [span(0..3, 3..6), span(0..3, 6..8), span(8..10, 10..12)]);
    }

    #[test]
    fn the_last_token_of_a_full_context_is_predicted_and_not_computed() {
        // Own context 20 and answer 21 22, of which 22 has no place any more.
        let full = Candidate { tokens: vec![20, 21], answer: 1..3, next: Some(22), ..Candidate::default() };
        let alone = Candidate { tokens: vec![20], answer: 1..2, next: Some(21), ..Candidate::default() };
        assert_eq!(full.answer_tokens().collect::<Vec<_>>(), [21, 22]);
        assert_eq!(alone.answer_tokens().collect::<Vec<_>>(), [21]);
        let set = CandidateSet { candidates: vec![full, alone], ..set(&[10], &[]) };
        let batch = Batch::pack([&set], TargetTokens::Answer, 0);
        assert_eq!(batch.tokens, [10, 20, 21, 20]);
        let targets: Vec<_> = batch.targets.iter().map(|t| (t.state, t.token, t.candidate)).collect();
        assert_eq!(targets, [(1, 21, 0), (2, 22, 0), (3, 21, 1)]);
    }

    #[test]
    fn tokens_before_an_answer_and_behind_it_are_context() {
        // Own context 20, answer 21 22, then 7 and the end of the turn.
        let long = Candidate { tokens: vec![20, 21, 22, 7, 9], answer: 1..3, ..Candidate::default() };
        let set = CandidateSet { candidates: vec![long, Candidate::new(vec![30, 9], 1)], ..set(&[10], &[]) };
        let targets = |wanted| -> Vec<_> {
            let batch = Batch::pack([&set], wanted, 1);
            batch.targets.iter().map(|t| (t.state, t.token, t.candidate)).collect()
        };
        assert_eq!(targets(TargetTokens::Answer), [(1, 21, 0), (2, 22, 0), (0, 30, 1)]);
        assert_eq!(
            targets(TargetTokens::Turn),
            [(1, 21, 0), (2, 22, 0), (3, 7, 0), (4, 9, 0), (0, 30, 1), (6, 9, 1)]
        );
        let span = |context, turn| CandidateSpan { prefix: 0..0, prompt: 0..1, context, turn };
        let spans = [span(1..2, 2..6), span(6..6, 6..8)];
        assert_eq!(Batch::pack([&set], TargetTokens::None, 1).spans(), spans);
        assert!(set.packed_spans().eq(spans));
        let conversation = Batch::pack_conversations(&[vec![&set]], TargetTokens::Answer, 1);
        assert_eq!(conversation.targets, Batch::pack([&set], TargetTokens::Answer, 1).targets[..2]);
    }

    #[test]
    fn a_turn_is_an_answer_and_its_end() {
        let sets = [set(&[10], &[&[20, 9], &[9]])];
        let turn = Batch::pack(&sets, TargetTokens::Turn, 1);
        assert_eq!(
            turn.targets.iter().map(|t| (t.state, t.token)).collect::<Vec<_>>(),
            [(0, 20), (1, 9), (0, 9)]
        );
        assert_eq!(Batch::pack(&sets, TargetTokens::Answer, 1).targets.len(), 1);
        assert!(Batch::pack(&sets, TargetTokens::None, 1).targets.is_empty());
    }

    #[test]
    fn conversations_in_a_row_are_segments_of_their_own() {
        // User 10, answer 20, end 9, user 11, answer 30 31, end 9.
        let long = CandidateSet {
            earlier_answers: std::iter::once(1..3).collect(),
            ..set(&[10, 20, 9, 11], &[&[30, 31, 9]])
        };
        let (short, text) = (set(&[12], &[&[40, 9]]), set(&[], &[&[50, 51]]));
        let rows = [vec![&long], vec![&short, &text]];
        let batch = Batch::pack_conversations(&rows, TargetTokens::AllTurns, 1);
        assert_eq!((batch.rows, batch.seq), (2, 7));
        assert_eq!(batch.tokens, [10, 20, 9, 11, 30, 31, 9, 12, 40, 9, 50, 51, 1, 1]);
        assert_eq!(batch.segments, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, -1, -1]);
        assert_eq!(batch.positions, [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 0, 1, 0, 0]);
        assert_eq!(batch.ends, [6, 9, 11]);
        assert_eq!(batch.sets, [0..1, 1..3]);
        let targets =
            |batch: &Batch| batch.targets.iter().map(|t| (t.state, t.token, t.candidate)).collect::<Vec<_>>();
        let last_turns = [(3, 30, 0), (4, 31, 0), (5, 9, 0), (7, 40, 1), (8, 9, 1), (10, 51, 2)];
        let earlier = [(0, 20, 0), (1, 9, 0)];
        assert_eq!(targets(&batch), [&earlier[..], &last_turns].concat());
        let last = Batch::pack_conversations(&rows, TargetTokens::Turn, 1);
        assert_eq!(targets(&last), last_turns);
        // The same without company.
        let alone = Batch::pack([&long], TargetTokens::AllTurns, 1);
        assert_eq!(targets(&alone), targets(&batch)[..5]);
        for (query, key, visible) in [(9, 7, true), (10, 9, false), (11, 10, true), (11, 7, false)] {
            assert_eq!(batch.visible(1, query - 7, key - 7), visible, "{query} sees {key}");
        }
    }

    #[test]
    fn candidates_do_not_see_each_other() {
        let batch = Batch::pack([&set(&[10, 11], &[&[20, 9], &[30, 9]])], TargetTokens::None, 1);
        let seen: Vec<Vec<usize>> =
            (0..6).map(|q| (0..6).filter(|&k| batch.visible(0, q, k)).collect()).collect();
        assert_eq!(
            seen,
            [vec![0], vec![0, 1], vec![0, 1, 2], vec![0, 1, 2, 3], vec![0, 1, 4], vec![0, 1, 4, 5]]
        );
    }

    #[test]
    fn prompts_with_one_prefix_share_a_row() {
        let sets = [set(&[10, 11, 12], &[&[20, 21], &[30]]), set(&[10, 11, 13, 14], &[&[40]])];
        let row = PrefixRow { prefix: 2, sets: sets.iter().collect() };
        assert_eq!(row.packed_len(), 9);
        let alone = PrefixRow::alone(&sets[1]);
        let batch = Batch::pack_rows(&[row, alone], TargetTokens::Turn, 1);
        assert_eq!((batch.rows, batch.seq), (2, 9));
        assert_eq!(batch.tokens[..9], [10, 11, 12, 20, 21, 30, 13, 14, 40]);
        assert_eq!(batch.segments[..9], [0, 0, -2, 1, 1, 2, -3, -3, 3]);
        assert_eq!(batch.positions[..9], [0, 1, 2, 3, 4, 3, 2, 3, 4]);
        assert_eq!((&batch.ends[..], &batch.sets[..]), (&[4, 5, 8, 13][..], &[0..3, 3..4][..]));
        let targets: Vec<_> = batch.targets.iter().map(|t| (t.state, t.token, t.candidate)).collect();
        assert_eq!(targets, [(2, 20, 0), (3, 21, 0), (2, 30, 1), (7, 40, 2), (12, 40, 3)]);
        let span = |prefix, prompt, turn: Range<usize>| CandidateSpan {
            prefix,
            prompt,
            context: turn.start..turn.start,
            turn,
        };
        let spans = [span(0..2, 2..3, 3..5), span(0..2, 2..3, 5..6), span(0..2, 6..8, 8..9)];
        assert_eq!(batch.spans()[..3], spans);
        assert_eq!(batch.spans()[3], span(0..0, 9..13, 13..14));
        let seen = |query| (0..9).filter(|&key| batch.visible(0, query, key)).collect::<Vec<_>>();
        assert_eq!(
            (0..9).map(seen).collect::<Vec<_>>(),
            [
                vec![0],
                vec![0, 1],
                vec![0, 1, 2],
                vec![0, 1, 2, 3],
                vec![0, 1, 2, 3, 4],
                vec![0, 1, 2, 5],
                vec![0, 1, 6],
                vec![0, 1, 6, 7],
                vec![0, 1, 6, 7, 8]
            ]
        );
    }
}
