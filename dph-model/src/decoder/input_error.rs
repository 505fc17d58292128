//! [`InputError`]: invalid input of a model.

use burn::tensor::{Device, Int, Tensor, TensorData};
use dph_core::Layer;

use super::DecoderConfig;

/// Invalid input of a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// A token id is not in the vocabulary.
    #[error(
        "token id {token} is not in the model's vocabulary of {vocab}; does the tokenizer belong to this model?"
    )]
    Token {
        /// The id.
        token: i64,
        /// Size of the vocabulary.
        vocab: usize,
    },
    /// A layer does not exist.
    #[error(
        "there is no layer {layer}: the layers of this model are 0 (the embedding) to {n_layers}, and \"last\""
    )]
    Layer {
        /// The layer.
        layer: usize,
        /// Number of blocks.
        n_layers: usize,
    },
    /// The number of tokens is not a multiple of the number of rows.
    #[error("{tokens} tokens cannot be divided into {rows} rows of equal length")]
    Rows {
        /// Number of tokens.
        tokens: usize,
        /// Number of rows.
        rows: usize,
    },
    /// A sequence is longer than the learned positions.
    #[error(
        "a sequence of {tokens} tokens is too long; the model has {limit} learned positions, so shorten the text"
    )]
    TooLong {
        /// Length of the sequence.
        tokens: usize,
        /// Number of positions.
        limit: usize,
    },
    /// A sequence has no tokens.
    #[error("sequence {sequence} has no tokens; an encoder needs at least one")]
    Empty {
        /// Index of the sequence.
        sequence: usize,
    },
    /// A token type does not exist.
    #[error("there is no token type {token_type}: the model has {token_types}, counted from 0")]
    TokenType {
        /// The type.
        token_type: u32,
        /// Number of types.
        token_types: usize,
    },
    /// The numbers of tokens and token types differ.
    #[error("sequence {sequence} has {tokens} tokens, but {token_types} token types")]
    TokenTypes {
        /// Index of the sequence.
        sequence: usize,
        /// Number of tokens.
        tokens: usize,
        /// Number of types.
        token_types: usize,
    },
}

/// Token ids on a device, `[rows, seq]`.
pub(crate) fn ids(
    tokens: &[i32],
    rows: usize,
    vocab: usize,
    device: &Device,
) -> Result<Tensor<2, Int>, InputError> {
    let is_unknown = |token: i32| usize::try_from(token).is_err() || token as usize >= vocab;
    if let Some(&token) = tokens.iter().find(|&&token| is_unknown(token)) {
        return Err(InputError::Token { token: token.into(), vocab });
    }
    check_rows(tokens, rows)?;
    let data = TensorData::new(tokens.to_vec(), [rows, tokens.len() / rows]);
    Ok(Tensor::from_data(data, device))
}

/// Checks that tokens fill rows of equal length.
pub(crate) fn check_rows(tokens: &[i32], rows: usize) -> Result<(), InputError> {
    match rows == 0 || !tokens.len().is_multiple_of(rows) {
        true => Err(InputError::Rows { tokens: tokens.len(), rows }),
        false => Ok(()),
    }
}

/// Checks that all layers exist in a model of `n_layers` blocks.
pub(crate) fn check_layers(layers: &[Layer], n_layers: usize) -> Result<(), InputError> {
    match Layer::find_missing(layers, n_layers) {
        Some(layer) => Err(InputError::Layer { layer, n_layers }),
        None => Ok(()),
    }
}

/// Checks that a model has positions for a sequence of this many tokens.
pub(crate) fn check_length(tokens: usize, config: &DecoderConfig) -> Result<(), InputError> {
    match config.limit() {
        Some(limit) if tokens > limit => Err(InputError::TooLong { tokens, limit }),
        _ => Ok(()),
    }
}
