//! Choices that do not make an aggregation.

use super::Layer;

/// An aggregation that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AggregationError {
    /// A mix of no layers.
    #[error("there is no layer in `layers`: name at least one, such as [16, 20, \"last\"]")]
    NoLayers,
    /// A layer stands in a mix twice.
    #[error("layer {layer} is there twice in `layers`")]
    LayerTwice {
        /// The layer.
        layer: Layer,
    },
    /// A layer that the model does not have.
    #[error(
        "there is no layer {layer}: the model has {n_layers} blocks, so layers 0 (the embedding) to {n_layers}, and \"last\""
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
    /// Attention layers that are never applied.
    #[error("`repeats` is 0: the attention layers are applied at least once")]
    NoRepeats,
    /// Hidden states that do not divide into attention heads.
    #[error(
        "{heads} attention `heads` do not divide hidden states of size {d_model}; choose a divisor of it"
    )]
    Heads {
        /// The number of heads.
        heads: usize,
        /// Size of a hidden state.
        d_model: usize,
    },
    /// A decay that is no share.
    #[error("`decay` is {decay}: it lies between 0 and 1, without the two; 0.9 looks back about ten tokens")]
    Decay {
        /// The decay.
        decay: f64,
    },
    /// An expansion that leads nowhere.
    #[error("`expansion` is {expansion}, which needs {needs}")]
    Expansion {
        /// The expansion.
        expansion: usize,
        /// What it needs.
        needs: &'static str,
    },
    /// A gate's bias without a gate.
    #[error("`gate_bias` without `gate`: a bias needs a gate to belong to")]
    BiasWithoutGate,
}
