//! [`Continued`]: the keys and values of a prompt whose first tokens are stored once for several prompts.

use super::attention::SUMMED;
use super::heads::Heads;
use super::matrix::Matrix;
use crate::decoder::Span;

/// Neighbouring keys and values of the end of a prompt: of its rest, and of the tokens of the context before it that are summed together with
/// it. So they are summed as if the whole prompt were stored in one place.
pub(super) struct Continued {
    /// The column of the rest.
    start: usize,
    /// Number of tokens of the rest, with its candidate if it is the only one.
    pub rest: usize,
    /// The first token of the context that is copied.
    pub first: usize,
    /// Number of tokens of the context that are copied.
    before: usize,
    /// Keys, then values, `[before + rest, 2 · n_kv_heads · head_dim]`.
    copied: Vec<f32>,
}

impl Continued {
    /// The continued prompts of a row with these tokens, `[seq, qkv width]`.
    pub fn of_row(tokens: &[f32], spans: &[Span], heads: &Heads) -> Vec<Self> {
        let (width, queries) = (heads.width(), heads.n_heads * heads.head_dim);
        let copy = |span: &Span| {
            let first = span.context - span.context % SUMMED;
            let (before, rest) = (span.context - first, span.end - span.start);
            let mut copied = Vec::with_capacity((before + rest) * (width - queries));
            for column in (first..span.context).chain(span.start..span.end) {
                copied.extend_from_slice(&tokens[column * width + queries..(column + 1) * width]);
            }
            Self { start: span.start, rest, first, before, copied }
        };
        spans.iter().filter(|span| span.continues).map(copy).collect()
    }

    /// Whether a span is the rest of this prompt, or one of its candidates.
    pub fn belongs_to(&self, span: &Span) -> bool {
        match span.continues {
            true => span.start == self.start,
            false => span.rest == (self.start, self.start + self.rest),
        }
    }

    /// Keys and values of a head, `[tokens, head_dim]` each: of the copied context and this many tokens of the rest.
    pub fn parts(&self, heads: &Heads, kv: usize, rest: usize) -> [Matrix<'_>; 2] {
        let d = heads.head_dim;
        let width = 2 * heads.n_kv_heads * d;
        [kv, heads.n_kv_heads + kv]
            .map(|column| Matrix::new(&self.copied[column * d..], self.before + rest, d, width))
    }
}
