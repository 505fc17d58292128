//! Aggregation: from the hidden states of a model to one vector for each candidate.
//!
//! *Layer pooling* picks the layer, *token pooling* the token. Both are chosen by configuration:
//!
//! ```toml
//! aggregation = { layers = "last", tokens = "end-of-turn" }
//! aggregation = { layers = 20 }
//! ```

mod layer;
mod token;

use serde::{Deserialize, Serialize};

pub use layer::Layer;
pub use token::TokenPooling;

/// Which hidden states make up the vector of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Aggregation {
    /// The layer: `"last"` for the last state after the model's final norm, or a number `i` for the state after
    /// block `i` as it is (0 is the embedding).
    pub layers: Layer,
    /// The tokens: `"end-of-turn"`.
    pub tokens: TokenPooling,
}
