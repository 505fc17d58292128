//! The states of the last layer, and their logits.

use burn::tensor::Tensor;
use dph_core::{Layer, select_rows};

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

/// Some states, `[states, d_model]`, by flat indices into `last`, `[rows, seq, d_model]`. `None` for no states.
pub(super) fn states_at(last: Tensor<3>, states: &[usize]) -> Option<Tensor<2>> {
    (!states.is_empty()).then(|| select_rows(last.flatten(0, 1), states.iter().copied()))
}

/// The logits of some states, `[states, vocab]`, flattened. States are those of [`states_at`].
pub(super) fn logits(backbone: &Backbone, states: impl IntoIterator<Item = Tensor<2>>) -> Vec<f32> {
    let mut states: Vec<Tensor<2>> = states.into_iter().collect();
    let states = match states.len() {
        0 => return Vec::new(),
        1 => states.remove(0),
        _ => Tensor::cat(states, 0),
    };
    let logits = backbone.decoder.logits(states).into_data();
    // Converting each number would take longer than choosing a token.
    logits.try_to_vec().unwrap_or_else(|_| logits.iter::<f32>().collect())
}
