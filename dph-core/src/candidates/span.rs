//! [`CandidateSpan`]: where the tokens of a candidate are.

use std::ops::Range;

/// The tokens of a candidate, as ranges of a flat list of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CandidateSpan {
    /// The tokens of its prompt, which other candidates may share.
    pub prompt: Range<usize>,
    /// Its own tokens, up to the end of its turn.
    pub answer: Range<usize>,
}
