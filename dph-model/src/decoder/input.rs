//! [`Input`]: from token embeddings into the residual stream.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::Tensor;
use dph_core::select_rows;

use super::product::linear;
use super::{HostLayout, Norm};

/// The computation of the residual stream from token embeddings: projection, positions, token types and norm, in this
/// order, as far as the model has them.
#[derive(Module, Debug)]
pub struct Input {
    /// From a factored embedding to the hidden size, `[d_vocab, d_model]`.
    pub projection: Option<Linear>,
    /// Learned positions, `[offset + context, d_model]`.
    pub positions: Option<Param<Tensor<2>>>,
    /// Learned token types, `[token types, d_model]`.
    pub token_types: Option<Param<Tensor<2>>>,
    /// Norm after these steps.
    pub norm: Option<Norm>,
    /// Row of position 0 in the table.
    pub offset: usize,
}

impl Input {
    /// The states before the first block, `[tokens, d_model]`, for embedded tokens, `[tokens, embedding width]`.
    pub fn forward(&self, embedded: Tensor<2>, layout: &HostLayout) -> Tensor<2> {
        let mut stream = match &self.projection {
            Some(projection) => linear(projection, embedded),
            None => embedded,
        };
        if let Some(table) = &self.positions {
            let rows = layout.positions.iter().map(|&position| position as usize + self.offset);
            stream = stream + select_rows(table.val(), rows);
        }
        if let Some(table) = &self.token_types {
            let type_of = |token: usize| layout.token_types.get(token).map_or(0, |&kind| kind as usize);
            stream = stream + select_rows(table.val(), (0..layout.rows * layout.seq).map(type_of));
        }
        match &self.norm {
            Some(norm) => norm.forward(stream),
            None => stream,
        }
    }
}
