//! `[head]`: the preference head.

use dph_core::{Aggregation, PoolingKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The preference head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Head {
    /// The hidden states that the head reads, such as `{ layers = "last", tokens = "end-of-turn" }` or
    /// `{ layers = { weighted = [16, 20, 24] }, tokens = { attention = { layers = ["pool"] } } }`; see
    /// [`Aggregation`].
    pub aggregation: Aggregation,
    /// Whether every component of the vectors is standardised to mean 0 and standard deviation 1 over the training data. This
    /// requires a frozen model and helps because a few components of its hidden states are much larger than the others.
    pub standardise: bool,
    /// The pooling function: `"identity"`, `"bert"`, `"t5"`, `"swiglu-bert"` (or `"swiglu"`), `"swiglu-t5"` or
    /// `{ projection = 64 }`.
    pub pooling: PoolingKind,
    /// Dropout probability of the pooling function.
    pub dropout: f64,
    /// Names of the reward heads. The `dph` objective trains the first one.
    pub rewards: Vec<String>,
    /// Whether the reward heads have a bias.
    pub bias: bool,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            aggregation: Aggregation::default(),
            standardise: false,
            pooling: PoolingKind::default(),
            dropout: 0.0,
            rewards: vec!["preference".into()],
            bias: false,
        }
    }
}
