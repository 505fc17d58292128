//! [`CandidateSpan`]: where the tokens of a candidate are.

use std::ops::Range;

/// The tokens of a candidate, as ranges of a flat list of tokens. Together they are its whole sequence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CandidateSpan {
    /// The first tokens of its prompt, if other prompts begin with them and they are stored once for all of these.
    pub prefix: Range<usize>,
    /// The other tokens of its prompt, which other candidates may share.
    pub prompt: Range<usize>,
    /// Its own tokens before the answer.
    pub context: Range<usize>,
    /// The answer and the rest of its turn.
    pub turn: Range<usize>,
}

impl CandidateSpan {
    /// The positions of all tokens of the sequence.
    pub fn tokens(&self) -> impl Iterator<Item = usize> + use<> {
        let prompt = self.prefix.clone().chain(self.prompt.clone());
        prompt.chain(self.context.clone()).chain(self.turn.clone())
    }

    /// Number of tokens of the sequence.
    pub fn len(&self) -> usize {
        self.before_turn() + self.turn.len()
    }

    /// Whether the sequence has no tokens.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of tokens before the answer.
    pub fn before_turn(&self) -> usize {
        self.prefix.len() + self.prompt.len() + self.context.len()
    }

    /// The span with its own tokens at `start`, after a whole prompt that is at `prompt`.
    pub fn moved(&self, prompt: Range<usize>, start: usize) -> Self {
        let turn = start + self.context.len();
        Self { prefix: 0..0, prompt, context: start..turn, turn: turn..turn + self.turn.len() }
    }
}
