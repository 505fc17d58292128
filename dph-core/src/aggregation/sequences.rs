//! [`Sequences`]: the layout of a batch of whole sequences for an aggregation.

use burn::tensor::{Device, Tensor, TensorData};

use super::MessageToken;
use crate::select::select_rows;

/// The layout of sequences for an aggregation, one per row, in host memory.
///
/// The flat vectors are `[count, len]`, row by row. Padding may be anywhere. It belongs to no answer and to no
/// message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sequences {
    /// Number of sequences.
    pub count: usize,
    /// Padded length in tokens.
    pub len: usize,
    /// Whether a token belongs to the answer. Averages are taken over these tokens.
    pub answer: Vec<bool>,
    /// The message of each token, which determines the attention mask.
    pub messages: Vec<MessageToken>,
    /// The column of the last end-of-turn token, whose vector is the vector of the sequence.
    pub last: Vec<usize>,
}

impl Sequences {
    /// Sequences that contain only padding.
    pub fn padding(count: usize, len: usize) -> Self {
        Self {
            count,
            len,
            answer: vec![false; count * len],
            messages: vec![MessageToken { message: -1, ..MessageToken::default() }; count * len],
            last: vec![0; count],
        }
    }

    /// The states of the last tokens, `[count, len, d_model]` to `[count, d_model]`.
    pub fn select_last(&self, states: Tensor<3>) -> Tensor<2> {
        let [count, len, d_model] = states.dims();
        let indices = self.last.iter().enumerate().map(|(row, last)| row * len + last);
        select_rows(states.reshape([count * len, d_model]), indices)
    }

    /// 1 in the answer and 0 outside of it, `[count, len, 1]`.
    pub(super) fn answer_mask(&self, device: &Device) -> Tensor<3> {
        let mask: Vec<f32> = self.answer.iter().map(|&inside| f32::from(u8::from(inside))).collect();
        Tensor::from_data(TensorData::new(mask, [self.count, self.len, 1]), device)
    }

    /// The position of every token in its answer, counted from 1; 0 outside the answer.
    pub(super) fn places(&self) -> Vec<usize> {
        let mut places = Vec::with_capacity(self.answer.len());
        for row in self.answer.chunks(self.len) {
            let mut place = 0;
            places.extend(row.iter().map(|&inside| {
                place += usize::from(inside);
                if inside { place } else { 0 }
            }));
        }
        places
    }
}
