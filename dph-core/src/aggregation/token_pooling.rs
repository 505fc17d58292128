//! Token pooling: from the states of an answer's tokens to one vector.

use burn::tensor::{Device, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sequences::Sequences;
use super::shift::shift;
use super::{AttentionPooling, MovingAverage};

/// How the states of a sequence's tokens become one vector.
///
/// | in TOML | vector at the answer's i-th token | parameters |
/// |---|---|---|
/// | `"end-of-turn"` | xᵢ; the state at the end of the turn depends on the whole answer | 0 |
/// | `"mean"` | Σⱼ≤ᵢ xⱼ / i | 0 |
/// | `"weighted-mean"` | Σⱼ≤ᵢ j xⱼ / Σⱼ≤ᵢ j: later tokens have more context (SGPT, arXiv 2202.08904) | 0 |
/// | `"max"` | the largest value of each component so far | 0 |
/// | `{ moving-average = { .. } }` | an exponential moving average, see [`MovingAverage`] | few |
/// | `{ attention = { .. } }` | xᵢ after attention layers of the head, see [`AttentionPooling`] | many |
///
/// The vector of an answer is the vector at its end-of-turn token.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenPooling {
    /// The state of the last end-of-turn token, which depends on the whole answer.
    #[default]
    EndOfTurn,
    /// The mean over the answer.
    Mean,
    /// The mean over the answer, weighted by the position of each token.
    WeightedMean,
    /// The maximum over the answer, component by component.
    Max,
    /// An exponential moving average over the answer.
    MovingAverage(MovingAverage),
    /// Learned attention layers.
    Attention(AttentionPooling),
}

impl TokenPooling {
    /// Number of parameters for states of size `d_model` and feed-forward networks of size `d_ffn`.
    pub fn parameters(&self, d_model: usize, d_ffn: usize) -> usize {
        match self {
            TokenPooling::MovingAverage(average) => average.parameters(d_model),
            TokenPooling::Attention(attention) => attention.parameters(d_model, d_ffn),
            _ => 0,
        }
    }

    /// Whether the vector is a sum of the states with fixed weights, so that sums over layers may be taken before or
    /// after it.
    pub(super) fn is_linear(&self) -> bool {
        match self {
            TokenPooling::EndOfTurn | TokenPooling::Mean | TokenPooling::WeightedMean => true,
            TokenPooling::MovingAverage(average) => average.is_fixed(),
            TokenPooling::Max | TokenPooling::Attention(_) => false,
        }
    }

    /// The unnormalised weight of the answer's token at position `j` in the vector at position `i`, both counted from
    /// 1.
    fn weight(&self, i: usize, j: usize) -> f32 {
        match self {
            TokenPooling::WeightedMean => j as f32,
            TokenPooling::MovingAverage(average) => average.decay.powi((i - j) as i32) as f32,
            TokenPooling::EndOfTurn => f32::from(u8::from(i == j)),
            _ => 1.0,
        }
    }

    /// The factor of earlier weights with every token, where the weights of [`weight`](Self::weight) are sums of gains.
    pub(super) fn decay(&self) -> f64 {
        match self {
            TokenPooling::MovingAverage(average) => average.decay,
            _ => 1.0,
        }
    }

    /// The unnormalised weight that the `i`-th token of the answer adds, counted from 1.
    pub(super) fn gain(&self, i: usize) -> f64 {
        match self {
            TokenPooling::WeightedMean => i as f64,
            _ => 1.0,
        }
    }

    /// The vectors of whole answers, for a pooling without parameters.
    ///
    /// # Shapes
    ///
    /// - states: `[count, len, d_model]`
    /// - output: `[count, d_model]`
    pub(super) fn last(&self, states: Tensor<3>, sequences: &Sequences) -> Tensor<2> {
        let device = states.device();
        match self {
            TokenPooling::EndOfTurn => sequences.select_last(states),
            TokenPooling::Max => self.shown(states, sequences).max_dim(1).squeeze_dim(1),
            _ => {
                let [count, len] = [sequences.count, sequences.len];
                let places = sequences.places();
                let mut weights = vec![0.0; count * len];
                for (row, &last) in sequences.last.iter().enumerate() {
                    let places = &places[row * len..=row * len + last];
                    self.write_weights(places, &mut weights[row * len..]);
                }
                matrix(weights, [count, 1, len], &device).matmul(states).squeeze_dim(1)
            }
        }
    }

    /// The vectors at every token, for a pooling without parameters. They are 0 outside the answer, except for
    /// `end-of-turn`, which does not change the states.
    ///
    /// # Shapes
    ///
    /// - states: `[count, len, d_model]`
    /// - output: `[count, len, d_model]`
    pub(super) fn each(&self, states: Tensor<3>, sequences: &Sequences) -> Tensor<3> {
        let device = states.device();
        match self {
            TokenPooling::EndOfTurn => states,
            TokenPooling::Max => {
                let mut running = self.shown(states, sequences);
                let mut step = 1;
                while step < sequences.len {
                    let earlier = shift(running.clone(), step, -HIDDEN);
                    running = running.max_pair(earlier);
                    step *= 2;
                }
                running * sequences.answer_mask(&device)
            }
            _ => {
                let [count, len] = [sequences.count, sequences.len];
                let places = sequences.places();
                let mut weights = vec![0.0; count * len * len];
                for (row, places) in places.chunks(len).enumerate() {
                    for query in (0..len).filter(|&query| places[query] > 0) {
                        let start = (row * len + query) * len;
                        self.write_weights(&places[..=query], &mut weights[start..]);
                    }
                }
                matrix(weights, [count, len, len], &device).matmul(states)
            }
        }
    }

    /// Writes the weights of tokens at these positions of the answer (0 outside) in the vector of the last one.
    fn write_weights(&self, places: &[usize], out: &mut [f32]) {
        let last = places.iter().copied().max().unwrap_or(0);
        let answer = |(_, place): &(usize, &usize)| **place > 0;
        let sum: f32 =
            places.iter().enumerate().filter(answer).map(|(_, &place)| self.weight(last, place)).sum();
        for (column, &place) in places.iter().enumerate().filter(answer) {
            out[column] = self.weight(last, place) / sum;
        }
    }

    /// The states, with those outside the answer lowered so that they are never the maximum.
    fn shown(&self, states: Tensor<3>, sequences: &Sequences) -> Tensor<3> {
        let mask = sequences.answer_mask(&states.device());
        states * mask.clone() + (mask - 1.0) * HIDDEN
    }
}

/// Larger than any state.
const HIDDEN: f64 = 1e9;

fn matrix(values: Vec<f32>, shape: [usize; 3], device: &Device) -> Tensor<3> {
    Tensor::from_data(TensorData::new(values, shape), device)
}
