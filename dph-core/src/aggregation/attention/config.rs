//! What an attention pooling is made of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aggregation::{AggregationError, Messages, NormPlace};

/// A few transformer layers of the head's own over the states of the conversation; the vector is the state at the answer's
/// end.
///
/// Every layer adds to the states what it makes of them. What a token sees is told by the kind of layer, always up to
/// itself; how strongly, by ALiBi (arXiv 2108.12409): head h of H lowers a score by 2^(-slope h/H) for every token, or
/// message, in between.
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
    /// How often all layers are applied, with the same weights.
    #[serde(default = "one")]
    pub repeats: usize,
    /// What differs from one repeat to the next; nothing but the norms without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapters: Option<Adapters>,
    /// Number of attention heads, a divisor of the hidden states' size.
    #[serde(default = "heads")]
    pub heads: usize,
    /// The exponent of ALiBi's slope: the larger, the more the last head looks into the distance.
    #[serde(default = "slope")]
    pub slope: f64,
    /// Where each layer's norms stand: `"none"`, `"pre"`, `"post"` or `"both"`.
    #[serde(default = "pre")]
    pub norm: NormPlace,
    /// Whether every attention head is scaled by a gate that looks at the token.
    #[serde(default)]
    pub gate: bool,
    /// Whether the states that went in are subtracted from those that come out, so that only what the layers add counts.
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
    /// A token looks at the earlier ones of its message.
    #[serde(rename = "self")]
    Own,
    /// A token looks at the ends of earlier messages.
    Cross,
    /// As `self` with one learned question for all tokens.
    Pool,
    /// As `self` with a learned score for every token, which depends on that token alone.
    PoolLinear,
    /// A SwiGLU feed-forward network of the backbone's inner size.
    FeedForward,
}

/// What every repeat has to itself: a bias of every projection, and a low-rank addition to its weights (LoRA, arXiv
/// 2106.09685) where the rank is not 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adapters {
    /// Rank of the additions.
    #[serde(default)]
    pub rank: usize,
    /// They are scaled by alpha / rank.
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
    /// These layers, with everything else as a configuration that does not name it has it.
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
