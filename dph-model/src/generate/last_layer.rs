//! The states of the last layer, and their logits.

use burn::tensor::Tensor;
use dph_core::Layer;

use crate::backbone::Backbone;

/// Layers, and the last one, whose states give the logits.
#[derive(Debug)]
pub(super) struct LastToo {
    pub layers: Vec<Layer>,
    last: usize,
    is_added: bool,
}

impl LastToo {
    pub fn new(layers: &[Layer]) -> Self {
        let mut all = layers.to_vec();
        let found = layers.iter().position(|&layer| layer == Layer::Last);
        if found.is_none() {
            all.push(Layer::Last);
        }
        Self { layers: all, last: found.unwrap_or(layers.len()), is_added: found.is_none() }
    }

    /// The states of the requested layers, and those of the last one.
    pub fn split(&self, mut states: Vec<Tensor<3>>) -> (Vec<Tensor<3>>, Tensor<3>) {
        let last = match self.is_added {
            true => states.remove(self.last),
            false => states[self.last].clone(),
        };
        (states, last)
    }
}

/// The logits of some states, `[states, vocab]`, flattened. States are given by flat indices into `last`, `[rows, seq,
/// d_model]`.
pub(super) fn logits(
    backbone: &Backbone,
    last: Tensor<3>,
    states: impl IntoIterator<Item = usize>,
) -> Vec<f32> {
    let states: Vec<usize> = states.into_iter().collect();
    if states.is_empty() {
        return Vec::new();
    }
    let logits = backbone.logits_at(last, &states).into_data();
    // Converting each number would take longer than choosing a token.
    logits.try_to_vec().unwrap_or_else(|_| logits.iter::<f32>().collect())
}
