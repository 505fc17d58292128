//! [`RewardStream`]: the rewards of answers while they grow.

use burn::tensor::Tensor;

use super::preference_head::PreferenceHead;
use crate::aggregation::{KeptStates, PoolingStream, TokenSelection};

/// The rewards of answers that grow together, token by token, from the states that their generation computes.
///
/// Means, moving averages and maxima are updated with each token. An aggregation with attention keeps the states that it
/// reads. The rewards are those of [`PreferenceHead::forward_batch`] for candidates of the same tokens.
#[derive(Debug, Clone)]
pub struct RewardStream<'a> {
    head: &'a PreferenceHead,
    states: Stream,
}

#[derive(Debug, Clone)]
enum Stream {
    /// Selected states are pooled first, and the rest is computed from one vector for each layer.
    Selected(PoolingStream),
    /// Vectors of tokens are pooled.
    Vectors(PoolingStream),
    /// Nothing is pooled before it is needed.
    Kept(KeptStates),
}

impl PreferenceHead {
    /// The rewards of answers to prompts. At first there is an empty answer to each prompt, see
    /// [`RewardStream::select`].
    ///
    /// # Shapes
    ///
    /// - states: `[prompts, seq, d_model]` for each of [`Aggregation::layers_needed`](crate::Aggregation::layers_needed), with
    ///   padding at the start of a row
    /// - padding: of each prompt
    /// - tokens: of each prompt, without padding
    pub fn reward_stream(
        &self,
        states: &[Tensor<3>],
        padding: &[usize],
        tokens: &[Vec<u32>],
    ) -> RewardStream<'_> {
        let selection = self.aggregator.selection();
        let seq = states.first().map_or(0, |states| states.dims()[1]);
        let columns = selection.context_tokens().min(seq);
        let states: Vec<Tensor<3>> = match columns {
            0 => Vec::new(),
            _ => states.iter().map(|states| states.clone().narrow(1, seq - columns, columns)).collect(),
        };
        let padding: Vec<usize> =
            padding.iter().map(|&padding| padding.saturating_sub(seq - columns)).collect();
        let rows = padding.len();
        let pooled = match &selection.tokens {
            TokenSelection::Pooled(pooling) => PoolingStream::fixed(pooling, rows).map(Stream::Selected),
            TokenSelection::Answer => self.aggregator.pooling_stream(rows).map(Stream::Vectors),
            TokenSelection::PromptAndAnswer => None,
        };
        let Some(pooled) = pooled else {
            let ids = match selection.tokens {
                TokenSelection::PromptAndAnswer => tokens.iter().flat_map(|ids| padded(ids, seq)).collect(),
                _ => Vec::new(),
            };
            let states = (columns > 0).then(|| self.aggregator.join(&states));
            let kept = KeptStates::new(states, ids, padding);
            return RewardStream { head: self, states: Stream::Kept(kept) };
        };
        let mut stream = RewardStream { head: self, states: pooled };
        // The tokens before an answer that count as part of it.
        for column in 0..columns {
            let of_column: Vec<_> =
                states.iter().map(|states| states.clone().narrow(1, column, 1).squeeze_dim(1)).collect();
            let is_padding: Vec<bool> = padding.iter().map(|&padding| column < padding).collect();
            stream.push_at(&of_column, &[], &is_padding);
        }
        stream
    }
}

impl RewardStream<'_> {
    /// Adds a token to every answer: its states, `[rows, d_model]` for each of the layers of the head, and its id.
    pub fn push(&mut self, states: &[Tensor<2>], tokens: &[u32]) {
        self.push_at(states, tokens, &vec![false; tokens.len()]);
    }

    /// Continues these answers, which may repeat.
    pub fn select(&mut self, rows: &[usize]) {
        match &mut self.states {
            Stream::Selected(stream) | Stream::Vectors(stream) => stream.select(rows),
            Stream::Kept(kept) => kept.select(rows),
        }
    }

    /// The rewards of the answers as if they ended with their last token, `[rows, heads]`.
    ///
    /// # Panics
    ///
    /// If the answers have no token.
    pub fn rewards(&self) -> Tensor<2> {
        match &self.states {
            Stream::Selected(stream) => self.head.forward(stream.vectors()),
            Stream::Vectors(stream) => self.head.rewards_of(self.head.aggregator.finish(stream.vectors())),
            Stream::Kept(kept) => self.head.forward_selected(&kept.selected()),
        }
    }

    /// Whether the reward of an answer is read from its last token alone, which is then the end of the turn.
    pub fn reads_end_only(&self) -> bool {
        match &self.states {
            Stream::Selected(stream) => stream.is_last(),
            Stream::Vectors(_) | Stream::Kept(_) => false,
        }
    }

    fn push_at(&mut self, states: &[Tensor<2>], tokens: &[u32], is_padding: &[bool]) {
        let states: Vec<Tensor<3>> = states.iter().map(|states| states.clone().unsqueeze_dim(1)).collect();
        // `[rows, layers, d_model]`
        let joined: Tensor<3> = self.head.aggregator.join(&states).squeeze_dim(1);
        match &mut self.states {
            Stream::Selected(stream) => stream.push(joined.flatten(1, 2), is_padding),
            Stream::Vectors(stream) => stream.push(self.head.token_vectors(joined), is_padding),
            Stream::Kept(kept) => kept.push(joined, tokens),
        }
    }
}

/// The ids of a prompt in a row of `seq` columns, padded at its start.
fn padded(ids: &[u32], seq: usize) -> impl Iterator<Item = i32> + '_ {
    std::iter::repeat_n(-1, seq.saturating_sub(ids.len())).chain(ids.iter().map(|&id| id as i32))
}
