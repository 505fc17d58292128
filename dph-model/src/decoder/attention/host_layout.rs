//! [`HostLayout`]: which tokens attend to which, in host memory.

use burn::tensor::TensorData;
use dph_core::{PADDING_SEGMENT, PROMPT_SEGMENT, REST_SEGMENT};

use super::rotary::Rotation;

/// Added to the attention scores of masked keys: far below any score, so that the weight is exactly 0.
pub(crate) const MASKED: f32 = -1e9;

/// The attention layout in host memory.
#[derive(Debug)]
pub struct HostLayout {
    /// Number of rows.
    pub rows: usize,
    /// New tokens per row: the queries.
    pub seq: usize,
    /// Cached tokens per row.
    pub prefix: usize,
    /// Number of padding tokens at the start of each row, including cached ones.
    pub padding: Vec<usize>,
    /// Spans of each row in order; tokens outside all spans are padding.
    pub spans: Vec<Vec<Span>>,
    /// Whether a token attends only to itself and to earlier tokens of its span. Otherwise it attends to the whole
    /// span.
    pub causal: bool,
    /// Position of each new token, `[rows, seq]`.
    pub positions: Vec<i32>,
    /// Type of each new token, `[rows, seq]`; empty if all are of type 0.
    pub token_types: Vec<i32>,
    /// Rotations of the keys: of all keys, `[rows, prefix + seq]`, or of the new ones, `[rows, seq]`, if cached keys
    /// are already rotated.
    pub rotation: Rotation,
}

/// Neighbouring tokens. Each attends to the earlier tokens of the span (or to all, see [`HostLayout::causal`]), to the first
/// `context` tokens of the row, and to the rest of its prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First column.
    pub start: usize,
    /// Column after the last.
    pub end: usize,
    /// Number of tokens at the start of the row that the whole span attends to.
    pub context: usize,
    /// The rest of a prompt whose first tokens are the context, if the row has several prompts: its first column and the column
    /// after its last. The whole span attends to it.
    pub rest: (usize, usize),
    /// Whether the span itself is such a rest, with its candidate if that is the only one: it continues the context.
    pub continues: bool,
}

impl Span {
    /// A span whose prompt, if it has one, is the first `context` tokens of the row.
    pub(crate) fn new(start: usize, end: usize, context: usize) -> Self {
        Self { start, end, context, rest: (0, 0), continues: false }
    }

    /// The start and the number of the columns outside of the span that the whole span attends to, in runs.
    pub(crate) fn outside(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (first, end) = self.rest;
        [(0, self.context), (first, end - first)].into_iter().filter(|&(_, count)| count > 0)
    }
}

impl HostLayout {
    /// Whether causal attention needs no other mask, except for padding at the end of a row.
    pub(crate) fn is_causal(&self) -> bool {
        let is_padded = self.padding.iter().any(|&padding| padding > 0);
        self.causal && !is_padded && self.spans.iter().all(|spans| spans.len() <= 1)
    }

    /// The mask that is added to the scores, `[rows, 1, seq, registers + prefix + seq]`.
    pub(crate) fn mask(&self, registers: usize) -> TensorData {
        let keys = registers + self.prefix + self.seq;
        let mut bias = vec![MASKED; self.rows * self.seq * keys];
        for (row, (spans, &hidden)) in self.spans.iter().zip(&self.padding).enumerate() {
            let row = &mut bias[row * self.seq * keys..(row + 1) * self.seq * keys];
            for (column, scores) in row.chunks_exact_mut(keys).enumerate() {
                let own = registers + self.prefix;
                scores[..registers].fill(0.0);
                scores[registers + hidden.min(self.prefix)..own].fill(0.0);
                // Padding attends to itself, since a softmax over no keys is undefined.
                scores[own + column] = 0.0;
                if let Some(span) = spans.iter().find(|span| (span.start..span.end).contains(&column)) {
                    for (first, count) in span.outside() {
                        scores[own + first..own + first + count].fill(0.0);
                    }
                    let seen = if self.causal { column + 1 } else { span.end };
                    scores[own + span.start..own + seen].fill(0.0);
                }
            }
        }
        TensorData::new(bias, [self.rows, 1, self.seq, keys])
    }
}

/// The spans of a row. A prompt, or the rest of one, and its only candidate are one span.
pub(super) fn spans(segments: &[i32]) -> Vec<Span> {
    let context = prompt_len(segments);
    let mut runs = Vec::new();
    let mut start = 0;
    for run in segments.chunk_by(|a, b| a == b) {
        let end = start + run.len();
        if run[0] != PADDING_SEGMENT {
            let outside = if run[0] == PROMPT_SEGMENT { 0 } else { context };
            let span = Span { continues: run[0] <= REST_SEGMENT, ..Span::new(start, end, outside) };
            runs.push((run[0], span));
        }
        start = end;
    }
    let is_candidate = |segment: i32| segment > PROMPT_SEGMENT;
    let mut spans = Vec::new();
    // A prompt, or the rest of one, and its candidates.
    for of_prompt in runs.chunk_by(|_, &(segment, _)| is_candidate(segment)) {
        match *of_prompt {
            [(segment, prompt), (_, only)] if !is_candidate(segment) => {
                spans.push(Span { end: only.end, ..prompt });
            }
            _ => {
                let (_, first) = of_prompt[0];
                let rest = if first.continues { (first.start, first.end) } else { (0, 0) };
                let with_rest = |&(_, span): &(i32, Span)| match span.continues {
                    true => span,
                    false => Span { rest, ..span },
                };
                spans.extend(of_prompt.iter().map(with_rest));
            }
        }
    }
    spans
}

fn prompt_len(segments: &[i32]) -> usize {
    segments.iter().take_while(|&&segment| segment == PROMPT_SEGMENT).count()
}

#[cfg(test)]
mod tests {
    use dph_core::Batch;

    use super::*;

    #[test]
    fn candidates_are_spans_that_see_the_prompt() {
        let span = Span::new;
        assert_eq!(spans(&[0, 0, 1, 1, 2, -1]), [span(0, 2, 0), span(2, 4, 2), span(4, 5, 2)]);
        assert_eq!(spans(&[0, 0, 1, -1]), [span(0, 3, 0)]);
        assert_eq!(spans(&[0, 0]), [span(0, 2, 0)]);
        assert_eq!(spans(&[-1]), []);
        let continuing = |start, end| Span { continues: true, ..span(start, end, 1) };
        let of_rest = |start, end, rest| Span { rest, ..span(start, end, 1) };
        assert_eq!(
            spans(&[0, -2, -2, 1, 2, 2, -3, 3]),
            [span(0, 1, 0), continuing(1, 3), of_rest(3, 4, (1, 3)), of_rest(4, 6, (1, 3)), continuing(6, 8)]
        );
        assert_eq!(spans(&[1, 1, 2, -1]), [span(0, 2, 0), span(2, 3, 0)], "conversations without a prompt");
    }

    #[test]
    fn the_bias_hides_what_the_batch_hides() {
        for segments in [[0, 0, 1, 2, 2, -1, -1, -1], [0, -2, -2, 1, 2, -3, 3, -1]] {
            let seq = segments.len();
            let batch = Batch {
                rows: 1,
                seq,
                positions: vec![0; seq],
                segments: segments.to_vec(),
                ..Batch::default()
            };
            let layout = HostLayout {
                rows: 1,
                seq,
                prefix: 0,
                padding: vec![0],
                spans: vec![spans(&batch.segments)],
                causal: true,
                positions: batch.positions.clone(),
                token_types: Vec::new(),
                rotation: Rotation::none(seq, 1),
            };
            let bias: Vec<f32> = layout.mask(1).try_to_vec().unwrap();
            for query in (0..seq).filter(|&query| segments[query] != PADDING_SEGMENT) {
                for key in 0..seq {
                    let hidden = bias[query * (seq + 1) + 1 + key] != 0.0;
                    assert_eq!(hidden, !batch.visible(0, query, key), "query {query}, key {key}");
                }
                assert_eq!(bias[query * (seq + 1)], 0.0, "the register");
            }
        }
    }

    #[test]
    fn without_causality_a_token_sees_all_of_its_sequence() {
        let layout = HostLayout {
            padding: vec![0; 1],
            rows: 1,
            seq: 3,
            prefix: 0,
            spans: vec![vec![Span::new(0, 2, 0)]],
            causal: false,
            positions: vec![0, 1, 2],
            token_types: Vec::new(),
            rotation: Rotation::none(3, 1),
        };
        let bias: Vec<f32> = layout.mask(0).try_to_vec().unwrap();
        let hidden: Vec<bool> = bias.iter().map(|&bias| bias != 0.0).collect();
        assert_eq!(hidden, [false, false, true, false, false, true, true, true, false]);
    }
}
