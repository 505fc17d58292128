//! [`CandidateSet`]: one prompt and its candidate answers.

use std::collections::BTreeMap;
use std::ops::Range;

use super::span::CandidateSpan;

/// A tokenised prompt and its candidate answers. All training, evaluation and ranking work on candidate sets.
///
/// A training pair is a set with two candidates, a benchmark question has two to six, best-of-n has n, and a ranking
/// request has any number.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CandidateSet {
    /// Identifier for reports, unique within a task and split.
    pub id: String,
    /// Token ids that all candidates share and that precede every answer. They are computed once for all candidates. The
    /// scores of a candidate do not depend on where the prompt ends, because the rest of its context is in
    /// [`Candidate::tokens`]. The prompt is empty if the candidates share no token.
    pub prompt: Vec<u32>,
    /// The answers, in the order of the source row.
    pub candidates: Vec<Candidate>,
    /// Index into `candidates` of the correct (or preferred) answer, if known.
    pub gold: Option<usize>,
    /// Tokens of the prompt that are earlier answers of a conversation, each with its end-of-turn token. An earlier answer
    /// that is not a part of the prompt for all candidates is not listed.
    pub earlier_answers: Vec<Range<usize>>,
    /// Human ratings of the gold answer by attribute, such as its verbosity.
    pub attributes: BTreeMap<String, f32>,
    /// For a text to classify, whose candidates are the classes and have no tokens: the part that each token of the prompt belongs to, 0
    /// for the first text and 1 for the second. Empty if all of them are 0.
    pub token_types: Vec<u32>,
}

/// One answer to a prompt: the tokens that follow the prompt.
///
/// ```text
/// prompt       | tokens
/// shared       | own context   answer   end of the turn
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Candidate {
    /// Token ids: the context that the candidates do not share (mostly none), the answer, and the rest of the turn up to
    /// and including its end-of-turn token. Tokens after the end of the turn are dropped, unless a head reads the last token of the
    /// [conversation](crate::Ending).
    pub tokens: Vec<u32>,
    /// The tokens of the answer within `tokens`. The log-likelihood is the sum over them. Rewards are computed from them and
    /// the rest of the turn.
    pub answer: Range<usize>,
    /// The last token of an answer whose other tokens fill the context of the model: it is predicted, and not computed. Then
    /// `answer` ends one behind `tokens`, and there is no reward. `None` in all other candidates.
    pub next: Option<u32>,
    /// Length of the answer's text in UTF-8 bytes.
    pub bytes: usize,
    /// Length of the answer's text in characters (Unicode code points).
    pub chars: usize,
}

impl Candidate {
    /// An answer without a context of its own. The last of its tokens ends the turn. Its characters count as one byte each; other
    /// texts set [`chars`](Self::chars).
    pub fn new(tokens: Vec<u32>, bytes: usize) -> Self {
        let answer = 0..tokens.len().saturating_sub(1);
        Self { tokens, answer, next: None, bytes, chars: bytes }
    }

    /// The tokens of the answer.
    pub fn answer_tokens(&self) -> impl Iterator<Item = u32> + '_ {
        let end = self.answer.end.min(self.tokens.len());
        self.tokens[self.answer.start.min(end)..end].iter().copied().chain(self.next)
    }

    /// The tokens of the answer and of the rest of its turn within `tokens`.
    pub fn turn(&self) -> Range<usize> {
        self.answer.start..self.tokens.len()
    }
}

impl CandidateSet {
    /// Number of tokens when the prompt is stored once.
    pub fn packed_len(&self) -> usize {
        self.prompt.len() + self.candidates.iter().map(|c| c.tokens.len()).sum::<usize>()
    }

    /// The tokens of the set when the prompt is stored once: the prompt, then the candidates one after another.
    pub fn packed_tokens(&self) -> impl Iterator<Item = u32> + '_ {
        let answers = self.candidates.iter().flat_map(|candidate| &candidate.tokens);
        self.prompt.iter().chain(answers).copied()
    }

    /// Where each candidate and the prompt are among the [`packed_tokens`](Self::packed_tokens).
    pub fn packed_spans(&self) -> impl Iterator<Item = CandidateSpan> + '_ {
        let mut end = self.prompt.len();
        self.candidates.iter().map(move |candidate| {
            let start = end;
            end += candidate.tokens.len();
            let answer = start + candidate.answer.start;
            CandidateSpan {
                prefix: 0..0,
                prompt: 0..self.prompt.len(),
                context: start..answer,
                turn: answer..end,
            }
        })
    }

    /// Length of the prompt followed by the first candidate.
    pub fn conversation_len(&self) -> usize {
        self.prompt.len() + self.candidates.first().map_or(0, |candidate| candidate.tokens.len())
    }

    /// Length of the longest single sequence: the prompt followed by one candidate. This, not
    /// [`packed_len`](Self::packed_len), has to fit into the model's context.
    pub fn sequence_len(&self) -> usize {
        let longest = self.candidates.iter().map(|c| c.tokens.len()).max();
        self.prompt.len() + longest.unwrap_or(0)
    }

    /// The set as one set for each candidate, without a gold answer. Models whose numbers depend on the length of a
    /// sequence need this, as packing candidates would change their numbers.
    pub fn one_by_one(&self) -> impl Iterator<Item = CandidateSet> + '_ {
        (0..self.candidates.len()).map(|candidate| self.part(candidate..candidate + 1))
    }

    /// The set as sets of consecutive candidates, without a gold answer, each with at most `tokens` tokens of prompt and candidates, unless
    /// it is a single candidate.
    pub fn parts(&self, tokens: usize) -> impl Iterator<Item = CandidateSet> + '_ {
        let mut first = 0;
        std::iter::from_fn(move || {
            let mut length = self.prompt.len();
            let fits = |candidate: &&Candidate| {
                length += candidate.tokens.len();
                length <= tokens
            };
            let count = self.candidates[first..].iter().take_while(fits).count().max(1);
            let part = first..self.candidates.len().min(first + count);
            first = part.end;
            (!part.is_empty()).then(|| self.part(part))
        })
    }

    fn part(&self, candidates: Range<usize>) -> CandidateSet {
        CandidateSet {
            id: self.id.clone(),
            prompt: self.prompt.clone(),
            candidates: self.candidates[candidates].to_vec(),
            gold: None,
            earlier_answers: self.earlier_answers.clone(),
            attributes: BTreeMap::new(),
            token_types: self.token_types.clone(),
        }
    }
}
