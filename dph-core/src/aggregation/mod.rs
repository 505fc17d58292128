//! Aggregation: from the hidden states of a model to one vector for each candidate, or one for each token.
//!
//! *Layer pooling* selects or combines layers, *token pooling* selects or combines tokens. Both are configured:
//!
//! ```toml
//! aggregation = { layers = "last", tokens = "end-of-turn" }
//! aggregation = { layers = 20 }
//! aggregation = { layers = { weighted = [16, 20, 24] }, tokens = "mean", token_norm = "post" }
//! aggregation = { layers = 20, tokens = { moving-average = { decay = 0.95, gate = true } } }
//! aggregation = { layers = 20, tokens = { attention = { layers = ["pool"] } } }
//! ```
//!
//! A pooling without parameters selects or averages states. Other poolings have weights, which are part of the
//! [`PreferenceHead`](crate::PreferenceHead) and are trained with it. [`Aggregation::selection`] gives the hidden states
//! that such training needs.
//!
//! The poolings are from the paper (arXiv 2405.20053) and from its authors' follow-up work (repository
//! Avelina9X/memory-transformer-pt4).

mod aggregator;
mod attention;
mod error;
mod kept_states;
mod layer;
mod layer_pooling;
mod layer_states;
mod messages;
mod moving_average;
mod norm;
mod pooling_stream;
mod prefix_reduction;
mod sequences;
mod shift;
mod state_selection;
mod token_pooling;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use aggregator::Aggregator;
pub use attention::{Adapters, AttentionKind, AttentionPooling};
pub use error::AggregationError;
pub(crate) use kept_states::KeptStates;
pub use layer::Layer;
pub use layer_pooling::LayerPooling;
pub use layer_states::LayerStates;
pub use messages::{MessageMarks, MessagePart, MessageToken, Messages};
pub use moving_average::{DecayLearning, MovingAverage, moving_average};
pub use norm::NormPlace;
pub(crate) use pooling_stream::PoolingStream;
pub use prefix_reduction::PrefixReduction;
pub use sequences::Sequences;
pub use state_selection::{SelectedStates, StateSelection, TokenSelection};
pub use token_pooling::TokenPooling;

/// How the vector of a candidate is computed from hidden states.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Aggregation {
    /// The layers: `"last"` for the last state after the model's final norm, a number `i` for the state after block `i` as it
    /// is (0 is the embedding), or a mix: `{ mean = [16, 20, "last"] }`, `{ weighted = [..] }`, `{ signed = [..] }`. See
    /// [`LayerPooling`].
    pub layers: LayerPooling,
    /// Layer norms around layer pooling: `"none"`, `"pre"` (of every layer), `"post"` or `"both"`.
    #[serde(skip_serializing_if = "is_default")]
    pub layer_norm: NormPlace,
    /// The tokens: `"end-of-turn"`, `"mean"`, `"weighted-mean"`, `"max"`, `{ moving-average = { .. } }` or
    /// `{ attention = { .. } }`. See [`TokenPooling`].
    pub tokens: TokenPooling,
    /// Layer norms around token pooling: `"none"`, `"pre"` (of every token), `"post"` or `"both"`.
    #[serde(skip_serializing_if = "is_default")]
    pub token_norm: NormPlace,
    /// Number of tokens before the answer, which open its turn, that count as part of the answer.
    #[serde(skip_serializing_if = "is_default")]
    pub opening: usize,
    /// Reduction of the vectors at every token, such as `"mean"`. It does not affect the vector of an answer. See
    /// [`PrefixReduction`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<PrefixReduction>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Aggregation {
    /// The layers whose hidden states are read, in the order in which they must be passed.
    pub fn layers_needed(&self) -> &[Layer] {
        self.layers.layers()
    }

    /// Checks the configuration for hidden states of size `d_model`.
    ///
    /// # Errors
    ///
    /// The first error in the configuration.
    pub fn check(&self, d_model: usize) -> Result<(), AggregationError> {
        self.check_choices()?;
        match &self.tokens {
            TokenPooling::Attention(attention) => attention.check_size(d_model),
            _ => Ok(()),
        }
    }

    /// Checks that a model of `n_layers` blocks has every layer that is read.
    ///
    /// # Errors
    ///
    /// The first layer that it does not have.
    pub fn check_layers(&self, n_layers: usize) -> Result<(), AggregationError> {
        match Layer::find_missing(self.layers_needed(), n_layers) {
            Some(layer) => Err(AggregationError::MissingLayer { layer, n_layers }),
            None => Ok(()),
        }
    }

    /// Checks everything that does not depend on the size of the hidden states.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn check_choices(&self) -> Result<(), AggregationError> {
        self.layers.check()?;
        match &self.tokens {
            TokenPooling::MovingAverage(average) => average.check(),
            TokenPooling::Attention(attention) => attention.check(),
            _ => Ok(()),
        }
    }

    /// Number of parameters for hidden states of size `d_model` and feed-forward networks of size `d_ffn`.
    pub fn parameters(&self, d_model: usize, d_ffn: usize) -> usize {
        self.layers.parameters()
            + self.layer_norm.parameters(d_model)
            + self.tokens.parameters(d_model, d_ffn)
            + self.token_norm.parameters(d_model)
    }

    /// The smallest selection of the backbone's states from which all learned parts can be computed.
    pub fn selection(&self) -> StateSelection {
        let mean = matches!(self.layers, LayerPooling::Mean(_)) && !self.layer_norm.is_before();
        let is_one = mean || self.layers_needed().len() == 1;
        // Norms that have to come before the tokens are pooled.
        let is_plain = self.layer_norm == NormPlace::None && !self.token_norm.is_before();
        let tokens = match &self.tokens {
            TokenPooling::EndOfTurn => TokenSelection::Pooled(TokenPooling::EndOfTurn),
            TokenPooling::Max if is_one && is_plain => TokenSelection::Pooled(TokenPooling::Max),
            pooling if pooling.is_linear() && is_plain => TokenSelection::Pooled(pooling.clone()),
            TokenPooling::Attention(attention) if attention.reads_prompt() => TokenSelection::PromptAndAnswer,
            _ => TokenSelection::Answer,
        };
        StateSelection { layers: self.layers_needed().to_vec(), mean, tokens, opening: self.opening }
    }

    /// The selection from which the vectors at every token of an answer can be computed.
    pub fn turn_selection(&self) -> StateSelection {
        let selection = self.selection();
        match selection.tokens {
            TokenSelection::PromptAndAnswer => selection,
            _ => StateSelection { tokens: TokenSelection::Answer, ..selection },
        }
    }
}
