//! Attention pooling: transformer layers that belong to the head.

mod adapted;
mod bias;
mod config;
mod feed_forward;
mod layer;

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use bias::AttentionBias;
pub use config::{Adapters, AttentionKind, AttentionPooling};
use feed_forward::FeedForward;
use layer::AttentionLayer;

use super::norm::Norms;
use super::sequences::Sequences;
use crate::parameters::{NamedParams, WeightInit};

/// The layers of an attention pooling with their weights.
#[derive(Module, Debug)]
pub(crate) struct AttentionStack {
    layers: Vec<StackLayer>,
    /// The norms for every application of a layer, ordered by repeat.
    norms: Vec<Norms>,
    #[module(skip)]
    config: AttentionPooling,
}

#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a head has a handful of layers")]
enum StackLayer {
    Attention(AttentionLayer),
    FeedForward(FeedForward),
}

impl AttentionStack {
    pub fn new(
        config: &AttentionPooling,
        d_model: usize,
        d_ffn: usize,
        init: &mut WeightInit,
        device: &Device,
    ) -> Self {
        let layers = config.layers.iter().map(|&kind| match kind {
            AttentionKind::FeedForward => {
                StackLayer::FeedForward(FeedForward::new(config, d_model, d_ffn, init, device))
            }
            kind => StackLayer::Attention(AttentionLayer::new(kind, config, d_model, init, device)),
        });
        let layers: Vec<_> = layers.collect();
        let steps = config.repeats * layers.len();
        let norms = (0..steps).map(|_| Norms::new(config.norm, d_model, device)).collect();
        Self { layers, norms, config: config.clone() }
    }

    /// The states after all layers, at every token.
    ///
    /// # Shapes
    ///
    /// - states: `[count, len, d_model]`
    /// - output: `[count, len, d_model]`
    pub fn forward(&self, states: Tensor<3>, sequences: &Sequences) -> Tensor<3> {
        let input = states.clone();
        let bias = AttentionBias::new(&self.config, sequences, &states.device());
        let mut states = states;
        for (step, norms) in self.norms.iter().enumerate() {
            let (repeat, layer) = (step / self.layers.len(), step % self.layers.len());
            let normed = norms.before(states.clone());
            let added = match &self.layers[layer] {
                StackLayer::FeedForward(network) => network.forward(normed, repeat),
                StackLayer::Attention(attention) => {
                    let bias = bias.for_kind(self.config.layers[layer]);
                    attention.forward(normed, bias, repeat)
                }
            };
            states = states + norms.after(added);
        }
        if self.config.subtract_input { states - input } else { states }
    }

    pub fn named_params_mut(&mut self) -> NamedParams<'_> {
        let layers = self.layers.iter_mut().enumerate().flat_map(|(index, layer)| {
            let name = format!("aggregation.attention.{index}");
            match layer {
                StackLayer::Attention(attention) => attention.named_params_mut(&name),
                StackLayer::FeedForward(network) => network.named_params_mut(&name),
            }
        });
        let norms = self.norms.iter_mut().enumerate();
        let norms = norms
            .flat_map(|(step, norms)| norms.named_params_mut(&format!("aggregation.attention.norm.{step}")));
        layers.chain(norms).collect()
    }
}
