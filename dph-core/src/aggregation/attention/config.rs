//! [`AttentionPooling`]: the configuration of an attention pooling.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aggregation::{AggregationError, Messages, NormPlace};

/// Transformer layers of the head over the states of the conversation. The vector is the state at the end of the
/// answer.
///
/// Every layer adds its output to the states. The kind of layer decides which tokens a token attends to; it never
/// attends to later ones. Distance is penalised by ALiBi (arXiv 2108.12409): head h of H lowers a score by 2^(-slope
/// h/H) for every token, or message, in between.
///
/// ```toml
/// tokens = { attention = { layers = ["pool"] } }
/// tokens = { attention = { layers = ["self", "cross", "feed-forward"], repeats = 2, gate = true, messages = "answer" } }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttentionPooling {
    /// The layers, in the order in which they are applied.
    pub layers: Vec<AttentionKind>,
    /// Number of times that all layers are applied, with the same weights.
    #[serde(default = "one")]
    pub repeats: usize,
    /// Adapters for each repeat. Without them only the norms differ between repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapters: Option<Adapters>,
    /// Number of attention heads. It must divide the size of the hidden states.
    #[serde(default = "heads")]
    pub heads: usize,
    /// The exponent of ALiBi's slope. With a larger value the last head attends to more distant tokens.
    #[serde(default = "slope")]
    pub slope: f64,
    /// Position of the norms of each layer: `"none"`, `"pre"`, `"post"` or `"both"`.
    #[serde(default = "pre")]
    pub norm: NormPlace,
    /// Whether the output of every attention head is scaled by a gate that depends on the token.
    #[serde(default)]
    pub gate: bool,
    /// Whether the input states are subtracted from the output, so that only the sum of the layers' outputs remains.
    #[serde(default)]
    pub subtract_input: bool,
    /// What counts as a message.
    #[serde(default)]
    pub messages: Messages,
}

/// A layer of an attention pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AttentionKind {
    /// A token attends to the earlier tokens of its message.
    #[serde(rename = "self")]
    Own,
    /// A token attends to the ends of earlier messages.
    Cross,
    /// Like `self`, with one learned query for all tokens.
    Pool,
    /// Like `self`, with a learned score for every key that does not depend on the query.
    PoolLinear,
    /// A SwiGLU feed-forward network with the inner size of the backbone.
    FeedForward,
}

/// The parameters of each repeat: a bias for every projection and, if the rank is not 0, a low-rank addition to its
/// weights (LoRA, arXiv 2106.09685).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adapters {
    /// Rank of the additions.
    #[serde(default)]
    pub rank: usize,
    /// The additions are scaled by alpha / rank.
    #[serde(default = "alpha")]
    pub alpha: f64,
}

fn one() -> usize {
    1
}

fn heads() -> usize {
    8
}

fn slope() -> f64 {
    8.0
}

fn pre() -> NormPlace {
    NormPlace::Pre
}

fn alpha() -> f64 {
    1.0
}

impl AttentionPooling {
    /// A pooling with these layers and the default of every other key.
    pub fn new(layers: impl Into<Vec<AttentionKind>>) -> Self {
        Self {
            layers: layers.into(),
            repeats: one(),
            adapters: None,
            heads: heads(),
            slope: slope(),
            norm: pre(),
            gate: false,
            subtract_input: false,
            messages: Messages::default(),
        }
    }

    /// Whether the answer's vector depends on the states of the prompt.
    pub(in crate::aggregation) fn reads_prompt(&self) -> bool {
        self.layers.contains(&AttentionKind::Cross) || self.messages != Messages::Answer
    }

    pub(in crate::aggregation) fn parameters(&self, d_model: usize, d_ffn: usize) -> usize {
        let projection = |d_in: usize, d_out: usize, bias: bool| -> usize {
            let repeated = self
                .adapters
                .map_or(0, |adapters| usize::from(bias) * d_out + adapters.rank * (d_in + d_out));
            d_in * d_out + usize::from(bias) * d_out + self.repeats * repeated
        };
        let square = projection(d_model, d_model, true);
        let gate = usize::from(self.gate) * (d_model + 1) * self.heads;
        let registers = 1 + self.adapters.map_or(0, |_| self.repeats);
        let of_layer = |kind: &AttentionKind| match kind {
            AttentionKind::Own | AttentionKind::Cross => 4 * square + gate,
            AttentionKind::Pool => registers * d_model + 3 * square + gate,
            AttentionKind::PoolLinear => projection(d_model, self.heads, false) + 2 * square + gate,
            AttentionKind::FeedForward => {
                2 * projection(d_model, d_ffn, true) + projection(d_ffn, d_model, true)
            }
        };
        let norms = self.repeats * self.layers.len() * self.norm.parameters(d_model);
        self.layers.iter().map(of_layer).sum::<usize>() + norms
    }

    pub(in crate::aggregation) fn check(&self) -> Result<(), AggregationError> {
        match self {
            _ if self.layers.is_empty() => Err(AggregationError::NoAttentionLayers),
            _ if self.repeats == 0 => Err(AggregationError::NoRepeats),
            _ => Ok(()),
        }
    }

    pub(in crate::aggregation) fn check_size(&self, d_model: usize) -> Result<(), AggregationError> {
        match self.heads {
            heads if heads > 0 && d_model.is_multiple_of(heads) => Ok(()),
            heads => Err(AggregationError::Heads { heads, d_model }),
        }
    }
}
