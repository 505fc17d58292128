//! [`AggregationError`]: an invalid aggregation.

use super::Layer;

/// An invalid aggregation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AggregationError {
    /// `layers` is empty.
    #[error("`layers` is empty; name at least one layer, such as [16, 20, \"last\"]")]
    NoLayers,
    /// `layers` names a layer twice.
    #[error("layer {layer} occurs twice in `layers`")]
    LayerTwice {
        /// The layer.
        layer: Layer,
    },
    /// A layer that the model does not have.
    #[error(
        "there is no layer {layer}: the layers of this model are 0 (the embedding) to {n_layers}, and \"last\""
    )]
    MissingLayer {
        /// The layer.
        layer: usize,
        /// Number of blocks of the model.
        n_layers: usize,
    },
    /// An attention pooling without layers.
    #[error(
        "`attention` has no layers: name at least one of \"self\", \"cross\", \"pool\", \"pool-linear\" and \"feed-forward\""
    )]
    NoAttentionLayers,
    /// `repeats` is 0.
    #[error("`repeats` must be at least 1")]
    NoRepeats,
    /// The number of attention heads does not divide the size of the hidden states.
    #[error(
        "{heads} attention `heads` do not divide hidden states of size {d_model}; choose a divisor of {d_model}"
    )]
    Heads {
        /// The number of heads.
        heads: usize,
        /// Size of a hidden state.
        d_model: usize,
    },
    /// `decay` is out of range.
    #[error(
        "`decay` is {decay}; it must be greater than 0 and less than 1 (0.9 averages over about ten tokens)"
    )]
    Decay {
        /// The decay.
        decay: f64,
    },
    /// `expansion` contradicts other keys.
    #[error("`expansion` is {expansion}, which needs {needs}")]
    Expansion {
        /// The expansion.
        expansion: usize,
        /// What it needs.
        needs: &'static str,
    },
    /// `gate_bias` without `gate`.
    #[error("`gate_bias` requires `gate = true`")]
    BiasWithoutGate,
}
