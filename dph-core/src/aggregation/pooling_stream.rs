//! [`PoolingStream`]: a token pooling that grows token by token.

use burn::tensor::{Tensor, TensorData};

use super::TokenPooling;
use super::moving_average::Averager;
use crate::select::select_rows;

/// The pooled vectors of sequences that grow together. What it keeps does not grow with them.
#[derive(Debug, Clone)]
pub(crate) struct PoolingStream {
    rule: Rule,
    /// The last state, the maximum, or the weighted sum so far, `[rows, width]`; `None` before the first token.
    value: Option<Tensor<2>>,
    /// Sum of learned weights, `[rows, width]`.
    learned_weight: Option<Tensor<2>>,
    /// Of each sequence, the number of its tokens and the sum of their weights.
    counts: Vec<(usize, f64)>,
}

/// How a token changes the vector.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there is one for many answers")]
enum Rule {
    /// The pooling of the last state.
    Last,
    /// The largest value of each component.
    Max,
    /// `Σⱼ wⱼ xⱼ / Σⱼ wⱼ`, where a token multiplies the earlier weights by a decay and has a weight of its own.
    Weighted(TokenPooling),
    /// The same with learned decays and weights.
    Learned(Averager),
}

impl PoolingStream {
    /// For a pooling without parameters. `None` if the vectors cannot be computed from such sums.
    pub fn fixed(pooling: &TokenPooling, rows: usize) -> Option<Self> {
        let rule = match pooling {
            TokenPooling::EndOfTurn => Rule::Last,
            TokenPooling::Max => Rule::Max,
            TokenPooling::Attention(_) => return None,
            linear => Rule::Weighted(linear.clone()),
        };
        Some(Self::new(rule, rows))
    }

    /// For a moving average with parameters.
    pub fn learned(average: Averager, rows: usize) -> Self {
        Self::new(Rule::Learned(average), rows)
    }

    fn new(rule: Rule, rows: usize) -> Self {
        Self { rule, value: None, learned_weight: None, counts: vec![(0, 0.0); rows] }
    }

    /// Adds the state of the next token to each sequence, `[rows, width]`. Where `is_padding`, nothing is added.
    pub fn push(&mut self, states: Tensor<2>, is_padding: &[bool]) {
        let padded = is_padding.iter().any(|&padding| padding);
        let Self { rule, value, learned_weight, counts } = self;
        match rule {
            Rule::Last => *value = Some(states),
            Rule::Max => {
                let shown = if padded { hide(states, is_padding) } else { states };
                *value = Some(match value.take() {
                    Some(largest) => largest.max_pair(shown),
                    None => shown,
                });
            }
            Rule::Weighted(pooling) => {
                let (decay, mut weights) = (pooling.decay(), Vec::with_capacity(counts.len()));
                for ((count, sum), &padding) in counts.iter_mut().zip(is_padding) {
                    let weight = if padding { 0.0 } else { pooling.gain(*count + 1) };
                    *count += usize::from(!padding);
                    *sum = *sum * decay + weight;
                    weights.push(weight as f32);
                }
                let states = match weights.iter().all(|&weight| weight == 1.0) {
                    true => states,
                    false => {
                        let count = weights.len();
                        let weights = TensorData::new(weights, [count, 1]);
                        states.clone() * Tensor::from_data(weights, &states.device())
                    }
                };
                *value = Some(match value.take() {
                    Some(sum) if decay == 1.0 => sum + states,
                    Some(sum) => sum * decay + states,
                    None => states,
                });
            }
            Rule::Learned(average) => {
                let (states, decay, gain) = average.step(states);
                let gain = if padded { gain * inside(is_padding, &states) } else { gain };
                let states = states * gain.clone();
                (*value, *learned_weight) = match (value.take(), learned_weight.take()) {
                    (Some(sum), Some(weight)) => {
                        (Some(sum * decay.clone() + states), Some(weight * decay + gain))
                    }
                    _ => (Some(states), Some(gain)),
                };
            }
        }
    }

    /// The vectors of the sequences so far, `[rows, width]`.
    ///
    /// # Panics
    ///
    /// If no token was added.
    pub fn vectors(&self) -> Tensor<2> {
        let value = self.value.clone().expect("a sequence has a token");
        match (&self.rule, &self.learned_weight) {
            (Rule::Learned(average), Some(weight)) => average.finish(value, weight.clone()),
            (Rule::Weighted(_), _) => {
                let sums: Vec<f32> = self.counts.iter().map(|(_, sum)| *sum as f32).collect();
                let count = sums.len();
                value.clone() / Tensor::from_data(TensorData::new(sums, [count, 1]), &value.device())
            }
            _ => value,
        }
    }

    /// Whether the vectors are the states of the last tokens.
    pub fn is_last(&self) -> bool {
        matches!(self.rule, Rule::Last)
    }

    /// Continues these sequences, which may repeat.
    pub fn select(&mut self, rows: &[usize]) {
        let select = |tensor: Tensor<2>| select_rows(tensor, rows.iter().copied());
        self.value = self.value.take().map(select);
        self.learned_weight = self.learned_weight.take().map(select);
        self.counts = rows.iter().map(|&row| self.counts[row]).collect();
    }
}

/// Smaller than any state.
const HIDDEN: f64 = -1e9;

fn hide(states: Tensor<2>, is_padding: &[bool]) -> Tensor<2> {
    let inside = inside(is_padding, &states);
    states * inside.clone() + (-inside + 1.0) * HIDDEN
}

/// 1 for a token and 0 for padding, `[rows, 1]`.
fn inside(is_padding: &[bool], like: &Tensor<2>) -> Tensor<2> {
    let inside: Vec<f32> = is_padding.iter().map(|&padding| f32::from(u8::from(!padding))).collect();
    let count = inside.len();
    Tensor::from_data(TensorData::new(inside, [count, 1]), &like.device())
}
