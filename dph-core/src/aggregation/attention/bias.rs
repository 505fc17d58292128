//! The bias of the attention scores: the mask, and a penalty on distance (ALiBi).

use burn::tensor::{Device, Tensor, TensorData};

use super::{AttentionKind, AttentionPooling};
use crate::aggregation::Sequences;

/// Added to the scores of masked tokens. Multiplied by any slope it is still far below all scores.
const MASKED: f32 = -1e30;

/// The bias that is added to the scores of the attention layers, `[count, heads, len, len]`: the distance times the
/// slope of the head, and the mask.
pub(super) struct AttentionBias {
    own: Option<Tensor<4>>,
    cross: Option<Tensor<4>>,
}

impl AttentionBias {
    pub fn new(config: &AttentionPooling, sequences: &Sequences, device: &Device) -> Self {
        let has_cross = config.layers.contains(&AttentionKind::Cross);
        let has_own = config
            .layers
            .iter()
            .any(|kind| !matches!(kind, AttentionKind::Cross | AttentionKind::FeedForward));
        let heads = config.heads as f64;
        let slopes = (1..=config.heads).map(|head| (-config.slope * head as f64 / heads).exp2() as f32);
        let slopes = TensorData::new(slopes.collect::<Vec<_>>(), [1, config.heads, 1, 1]);
        let slopes = Tensor::<4>::from_data(slopes, device);
        let bias = |distance: &dyn Fn(usize, usize, usize) -> Option<i32>| {
            distances(sequences, distance, device) * slopes.clone()
        };
        let token = |row: usize, column: usize| sequences.messages[row * sequences.len + column];
        Self {
            own: has_own.then(|| {
                bias(&|row, query, key| {
                    let (from, to) = (token(row, query), token(row, key));
                    (from.message == to.message && from.inside && to.inside)
                        .then(|| key as i32 - query as i32)
                })
            }),
            cross: has_cross.then(|| {
                bias(&|row, query, key| {
                    let (from, to) = (token(row, query), token(row, key));
                    to.end.then(|| to.message - from.message)
                })
            }),
        }
    }

    /// The bias for a layer of this kind.
    pub fn for_kind(&self, kind: AttentionKind) -> Tensor<4> {
        let bias = if kind == AttentionKind::Cross { &self.cross } else { &self.own };
        bias.clone().expect("the bias was computed for the layers of this pooling")
    }
}

/// The distances between tokens, `[count, 1, len, len]`. `distance` returns the distance for a row and the columns of
/// query and key, or `None` if the key is masked. A token always attends to itself and never to later tokens.
fn distances(
    sequences: &Sequences,
    distance: &dyn Fn(usize, usize, usize) -> Option<i32>,
    device: &Device,
) -> Tensor<4> {
    let [count, len] = [sequences.count, sequences.len];
    let mut distances = vec![MASKED; count * len * len];
    for row in 0..count {
        for query in 0..len {
            let start = (row * len + query) * len;
            for key in 0..query {
                if let Some(distance) = distance(row, query, key) {
                    distances[start + key] = distance as f32;
                }
            }
            distances[start + query] = 0.0;
        }
    }
    Tensor::from_data(TensorData::new(distances, [count, 1, len, len]), device)
}
