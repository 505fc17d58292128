//! The hidden states of a frozen backbone that an aggregation is trained on.

use burn::tensor::Tensor;

use super::sequences::Sequences;
use super::{Layer, TokenPooling};
use crate::candidates::{Batch, CandidateSet, CandidateSpan};
use crate::select::select_rows;

/// The hidden states that an aggregation reads. A feature cache stores exactly these, and aggregations with equal
/// selections share one cache.
#[derive(Debug, Clone, PartialEq)]
pub struct StateSelection {
    /// The layers that are read.
    pub layers: Vec<Layer>,
    /// Whether only the mean of the layers is selected.
    pub mean: bool,
    /// The tokens whose states are selected.
    pub tokens: TokenSelection,
    /// Number of tokens before the answer that count as part of it.
    pub opening: usize,
}

/// The tokens of a candidate whose states are selected.
#[derive(Debug, Clone, PartialEq)]
pub enum TokenSelection {
    /// One vector per candidate: the tokens are pooled without parameters.
    Pooled(TokenPooling),
    /// The tokens of the answer and the rest of its turn.
    Answer,
    /// All tokens, with their ids. The tokens of the prompt are stored once for all candidates.
    PromptAndAnswer,
}

/// Selected states of some candidates.
#[derive(Debug, Clone)]
pub struct SelectedStates {
    /// The states, `[tokens, layers, d_model]`.
    pub values: Tensor<3>,
    /// The ids of the tokens if the prompt is selected; otherwise empty.
    pub tokens: Vec<i32>,
    /// The tokens of each candidate. Candidates may share their prompt.
    pub candidates: Vec<CandidateSpan>,
}

impl StateSelection {
    /// Number of vectors per token: one for each layer, or one for their mean.
    pub fn vectors(&self) -> usize {
        if self.mean { 1 } else { self.layers.len() }
    }

    /// The positions of a set's selected tokens in the order of [`select`](Self::select), and their ids if the prompt is
    /// selected.
    pub fn spans(&self, set: &CandidateSet) -> (Vec<CandidateSpan>, Vec<i32>) {
        if let TokenSelection::Pooled(_) = self.tokens {
            return (pooled_spans(set.candidates.len()), Vec::new());
        }
        let places = Places::new(set.packed_spans(), self.context_tokens());
        let ids: Vec<i32> = match self.tokens {
            TokenSelection::PromptAndAnswer => {
                let tokens: Vec<u32> = set.packed_tokens().collect();
                places.indices.iter().map(|&index| tokens[index] as i32).collect()
            }
            _ => Vec::new(),
        };
        (places.candidates, ids)
    }

    /// Selects the states of a batch. Gradients flow through it.
    ///
    /// # Shapes
    ///
    /// - states: `[rows, seq, d_model]` for each of [`layers`](Self::layers), in their order
    pub fn select(&self, states: &[Tensor<3>], batch: &Batch) -> SelectedStates {
        let flat: Vec<Tensor<2>> = states
            .iter()
            .map(|states| {
                let [rows, seq, d_model] = states.dims();
                states.clone().reshape([rows * seq, d_model])
            })
            .collect();
        let gather_rows = |indices: &[usize]| self.gather_rows(&flat, indices);
        if let TokenSelection::Pooled(TokenPooling::EndOfTurn) = self.tokens {
            return SelectedStates::vectors(gather_rows(&batch.ends));
        }
        let Places { indices, candidates } = Places::new(batch.spans(), self.context_tokens());
        let values = gather_rows(&indices);
        let tokens = match self.tokens {
            TokenSelection::PromptAndAnswer => indices.iter().map(|&index| batch.tokens[index]).collect(),
            _ => Vec::new(),
        };
        let states = SelectedStates { values, tokens, candidates };
        let TokenSelection::Pooled(pooling) = &self.tokens else { return states };
        let (sequences, gather) = states.lay_out(self.opening, &|_, _| Vec::new());
        let [_, vectors, d_model] = states.values.dims();
        let pooled = pooling.last(gather(states.values.flatten(1, 2)), &sequences);
        SelectedStates::vectors(pooled.reshape([-1, vectors as i32, d_model as i32]))
    }

    /// Most selected tokens before the answer.
    pub(crate) fn context_tokens(&self) -> usize {
        match self.tokens {
            TokenSelection::PromptAndAnswer => usize::MAX,
            _ => self.opening,
        }
    }

    /// The states at flat token indices: `[rows * seq, d_model]` for each layer to `[tokens, vectors, d_model]`.
    fn gather_rows(&self, states: &[Tensor<2>], indices: &[usize]) -> Tensor<3> {
        let picked =
            states.iter().map(|states| select_rows(states.clone(), indices.iter().copied())).collect();
        let picked: Tensor<3> = Tensor::stack(picked, 1);
        if self.mean { picked.mean_dim(1) } else { picked }
    }
}

/// The selected tokens.
struct Places {
    /// Their indices in a flat list of tokens.
    indices: Vec<usize>,
    /// The range of each candidate within the indices.
    candidates: Vec<CandidateSpan>,
}

impl Places {
    /// All tokens of the turns, and at most the last `context_tokens` of every prompt and of every candidate's own context.
    /// Neighbouring candidates of one prompt share its tokens.
    fn new(spans: impl IntoIterator<Item = CandidateSpan>, context_tokens: usize) -> Self {
        let (mut indices, mut candidates) = (Vec::new(), Vec::new());
        let mut last_prompt = None;
        let mut prompt = 0..0;
        for span in spans {
            if last_prompt != Some(span.prompt.start) {
                last_prompt = Some(span.prompt.start);
                let hidden = (span.prefix.len() + span.prompt.len()).saturating_sub(context_tokens);
                let start = indices.len();
                indices.extend(span.prefix.clone().chain(span.prompt.clone()).skip(hidden));
                prompt = start..indices.len();
            }
            let context = span.context.end - span.context.len().min(context_tokens)..span.context.end;
            let span = CandidateSpan { context, ..span };
            candidates.push(span.moved(prompt.clone(), indices.len()));
            indices.extend(span.context.chain(span.turn));
        }
        Self { indices, candidates }
    }
}

impl SelectedStates {
    /// One vector per candidate, or one per candidate and layer: `[candidates, layers, d_model]`.
    pub fn vectors(values: Tensor<3>) -> Self {
        Self { candidates: pooled_spans(values.dims()[0]), tokens: Vec::new(), values }
    }

    /// The candidates as whole sequences, and how to gather values of the tokens into them: `[tokens, width]` to
    /// `[candidates, len, width]`. `split` finds the messages of a sequence's ids and the length of its prompt.
    pub(super) fn lay_out(
        &self,
        opening: usize,
        split: &dyn Fn(&[i32], usize) -> Vec<super::MessageToken>,
    ) -> (Sequences, impl Fn(Tensor<2>) -> Tensor<3> + use<>) {
        let count = self.candidates.len();
        let len = self.candidates.iter().map(CandidateSpan::len).max().unwrap_or(0);
        let mut sequences = Sequences::padding(count, len);
        // The value in padding does not matter, as nothing reads it.
        let mut indices = vec![0; count * len];
        for (row, span) in self.candidates.iter().enumerate() {
            let places: Vec<usize> = span.tokens().collect();
            let start = row * len;
            let prompt = span.before_turn().saturating_sub(opening);
            indices[start..start + places.len()].copy_from_slice(&places);
            sequences.answer[start + prompt..start + places.len()].fill(true);
            sequences.last[row] = places.len().saturating_sub(1);
            // Without ids only the length of the sequence is known.
            let ids: Vec<i32> =
                places.iter().map(|&place| self.tokens.get(place).copied().unwrap_or(-1)).collect();
            for (column, token) in split(&ids, prompt).into_iter().enumerate() {
                sequences.messages[start + column] = token;
            }
        }
        let gather = move |values: Tensor<2>| {
            let width = values.dims()[1];
            select_rows(values, indices.iter().copied()).reshape([count, len, width])
        };
        (sequences, gather)
    }
}

fn pooled_spans(count: usize) -> Vec<CandidateSpan> {
    (0..count)
        .map(|at| CandidateSpan { turn: at..at + 1, context: at..at, ..CandidateSpan::default() })
        .collect()
}
