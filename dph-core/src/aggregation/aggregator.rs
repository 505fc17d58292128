//! [`Aggregator`]: an aggregation with its weights.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::attention::AttentionStack;
use super::layer_pooling::LayerMix;
use super::moving_average::Averager;
use super::norm::Norms;
use super::pooling_stream::PoolingStream;
use super::{Aggregation, Messages, SelectedStates, Sequences, StateSelection, TokenPooling, TokenSelection};
use crate::candidates::Batch;
use crate::parameters::{NamedParams, WeightInit};

/// The learned part of an aggregation: from selected states to vectors.
///
/// The order is: norm, layer pooling, norm, norm, token pooling, norm. All steps before token pooling run once per
/// selected token, even if several sequences share it.
#[derive(Module, Debug)]
pub(crate) struct Aggregator {
    mix: LayerMix,
    layer_norm: Norms,
    token_norm: Norms,
    learned: Option<Learned>,
    #[module(skip)]
    config: Aggregation,
    #[module(skip)]
    selection: StateSelection,
}

/// A token pooling with parameters.
#[derive(Module, Debug)]
enum Learned {
    Attention(AttentionStack),
    Average(Averager),
}

impl Aggregator {
    pub fn new(
        config: &Aggregation,
        d_model: usize,
        d_ffn: usize,
        init: &mut WeightInit,
        device: &Device,
    ) -> Self {
        let learned = match &config.tokens {
            TokenPooling::Attention(attention) => {
                Some(Learned::Attention(AttentionStack::new(attention, d_model, d_ffn, init, device)))
            }
            TokenPooling::MovingAverage(average) if !average.is_fixed() => {
                Some(Learned::Average(Averager::new(average, d_model, init, device)))
            }
            _ => None,
        };
        Self {
            mix: LayerMix::new(&config.layers, device),
            layer_norm: Norms::new(config.layer_norm, d_model, device),
            token_norm: Norms::new(config.token_norm, d_model, device),
            learned,
            config: config.clone(),
            selection: config.selection(),
        }
    }

    /// The states of a batch that the aggregation reads.
    pub fn select(&self, states: &[Tensor<3>], batch: &Batch) -> SelectedStates {
        self.selection.select(states, batch)
    }

    /// Number of selected vectors per token.
    pub fn vectors(&self) -> usize {
        self.selection.vectors()
    }

    /// Joins the states of the layers: `[count, len, d_model]` each to `[count, len, layers, d_model]`.
    pub fn join(&self, states: &[Tensor<3>]) -> Tensor<4> {
        let states: Tensor<4> = Tensor::stack(states.to_vec(), 2);
        if self.selection.mean { states.mean_dim(2) } else { states }
    }

    /// The states that the aggregation reads.
    pub fn selection(&self) -> &StateSelection {
        &self.selection
    }

    /// Pools the vectors of tokens while `rows` sequences grow; `None` if the pooling needs all tokens.
    pub fn pooling_stream(&self, rows: usize) -> Option<PoolingStream> {
        match &self.learned {
            Some(Learned::Attention(_)) => None,
            Some(Learned::Average(average)) => Some(PoolingStream::learned(average.clone(), rows)),
            None => PoolingStream::fixed(&self.config.tokens, rows),
        }
    }

    /// The vectors of tokens before token pooling, `[tokens, layers, d_model]` to `[tokens, d_model]`.
    pub fn token_vectors(&self, states: Tensor<3>) -> Tensor<2> {
        self.mix(states)
    }

    /// The vectors of sequences after token pooling, `[n, d_model]` both.
    pub fn finish(&self, vectors: Tensor<2>) -> Tensor<2> {
        self.token_norm.after(vectors)
    }

    /// The turns of a batch with the tokens before them that the aggregation reads, as sequences: their states, `[candidates,
    /// len, layers, d_model]`, and the columns of each turn.
    pub fn lay_out_turns(
        &self,
        states: &[Tensor<3>],
        batch: &Batch,
    ) -> (Tensor<4>, Sequences, Vec<Range<usize>>) {
        self.lay_out_selected(&self.config.turn_selection().select(states, batch))
    }

    /// As [`lay_out_turns`](Self::lay_out_turns), from the states that [`Aggregation::turn_selection`] selects.
    pub fn lay_out_selected(&self, selected: &SelectedStates) -> (Tensor<4>, Sequences, Vec<Range<usize>>) {
        let messages = self.messages();
        let (sequences, gather) =
            selected.lay_out(self.config.opening, &|ids, prompt| messages.split(ids, prompt));
        let [_, layers, d_model] = selected.values.dims();
        let values = gather(selected.values.clone().flatten(1, 2));
        let values = values.reshape([sequences.count, sequences.len, layers, d_model]);
        let turns = selected.candidates.iter().map(|span| span.before_turn()..span.len()).collect();
        (values, sequences, turns)
    }

    /// The vector of every candidate.
    ///
    /// # Shapes
    ///
    /// - states: `[tokens, layers, d_model]`, the selected states
    /// - output: `[candidates, d_model]`
    pub fn forward(&self, states: Tensor<3>, selected: &SelectedStates) -> Tensor<2> {
        let mixed = self.mix(states);
        let vectors = match &self.selection.tokens {
            TokenSelection::Pooled(_) => mixed,
            _ => {
                let messages = self.messages();
                let (sequences, gather) =
                    selected.lay_out(self.config.opening, &|ids, prompt| messages.split(ids, prompt));
                let states = gather(mixed);
                match &self.learned {
                    Some(_) => sequences.select_last(self.each(states, &sequences)),
                    None => self.config.tokens.last(states, &sequences),
                }
            }
        };
        self.finish(vectors)
    }

    /// The vectors at every token.
    ///
    /// # Shapes
    ///
    /// - states: `[count, len, layers, d_model]`, see [`join`](Self::join)
    /// - output: `[count, len, d_model]`
    pub fn forward_tokens(&self, states: Tensor<4>, sequences: &Sequences) -> Tensor<3> {
        let [count, len, _, d_model] = states.dims();
        let mixed = self.mix(states.flatten(0, 1)).reshape([count, len, d_model]);
        let vectors = self.token_norm.after(self.each(mixed, sequences));
        match self.config.running {
            Some(running) => running.forward(vectors, sequences),
            None => vectors,
        }
    }

    /// The rotation of a moving average that has one, `[width, d_model]`.
    pub fn rotation(&self) -> Option<Tensor<2>> {
        match &self.learned {
            Some(Learned::Average(average)) => average.rotation(),
            _ => None,
        }
    }

    /// `[tokens, layers, d_model]` to `[tokens, d_model]`.
    fn mix(&self, states: Tensor<3>) -> Tensor<2> {
        let mixed = self.mix.forward(self.layer_norm.before(states));
        self.token_norm.before(self.layer_norm.after(mixed))
    }

    fn each(&self, states: Tensor<3>, sequences: &Sequences) -> Tensor<3> {
        match &self.learned {
            Some(Learned::Attention(attention)) => attention.forward(states, sequences),
            Some(Learned::Average(average)) => average.forward(states, sequences),
            None => self.config.tokens.each(states, sequences),
        }
    }

    fn messages(&self) -> Messages {
        match &self.config.tokens {
            TokenPooling::Attention(attention) => attention.messages,
            _ => Messages::default(),
        }
    }

    pub fn named_params_mut(&mut self) -> NamedParams<'_> {
        let mut params = self.mix.named_params_mut();
        params.extend(self.layer_norm.named_params_mut("aggregation.layer_norm"));
        params.extend(self.token_norm.named_params_mut("aggregation.token_norm"));
        params.extend(match &mut self.learned {
            Some(Learned::Attention(attention)) => attention.named_params_mut(),
            Some(Learned::Average(average)) => average.named_params_mut(),
            None => Vec::new(),
        });
        params
    }
}
