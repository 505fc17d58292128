//! [`DecoderConfig`]: the sizes and variants of a decoder.

mod limits;
mod positions;
mod rotary_config;

pub use positions::Positions;
pub use rotary_config::{DynamicScaling, RotaryConfig, RotaryScaling};

use crate::decoder::{Activation, NormConfig, QueryKeyNormConfig};

/// The configuration of a decoder: sizes, and the variant of each part.
///
/// Model families differ only in these values; [`family`](crate::family) reads them from a `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderConfig {
    /// Size of the vocabulary.
    pub vocab: usize,
    /// Length of the longest sequence in training, in tokens.
    pub context: usize,
    /// Size of a hidden state.
    pub d_model: usize,
    /// Inner size of the feed-forward network, after gating.
    pub d_ffn: usize,
    /// Number of blocks.
    pub n_layers: usize,
    /// Number of query heads.
    pub n_heads: usize,
    /// Number of key and value heads; each serves `n_heads / n_kv_heads` query heads.
    pub n_kv_heads: usize,
    /// Size of one head. It may differ from `d_model / n_heads`.
    pub head_dim: usize,
    /// Whether attention is causal. Otherwise a token attends to all tokens of its sequence.
    pub causal: bool,
    /// Size of a factored token embedding: it is projected to `d_model`, and the last state is projected back before
    /// the output matrix. `None`: embeddings have size `d_model`.
    pub d_vocab: Option<usize>,
    /// Number of token types, each with a learned vector that is added to the embedding; 0 for none.
    pub token_types: usize,
    /// The position encoding.
    pub positions: Positions,
    /// Whether there is a norm after the embedding.
    pub input_norm: bool,
    /// Whether there is a norm after the last block.
    pub output_norm: bool,
    /// Whether the output matrix is the token embedding (tied).
    pub tied_head: bool,
    /// The pooler of the first state of a sequence.
    pub pooler: Option<PoolerConfig>,
    /// The normalisation, wherever there is one.
    pub norm: NormConfig,
    /// How the two parts of a block are added to the residual stream.
    pub residual: Residual,
    /// The activation of the feed-forward network.
    pub activation: Activation,
    /// Whether the activation is a gate on a second projection (`value · activation(gate)`).
    pub gated: bool,
    /// Whether the query, key and value projections have a bias.
    pub qkv_bias: bool,
    /// Whether the projection after the attention has a bias.
    pub attention_output_bias: bool,
    /// Whether the projections of the feed-forward network have a bias.
    pub mlp_bias: bool,
    /// Norm of every query and key head before the rotation.
    pub query_key_norm: Option<QueryKeyNormConfig>,
    /// Number of learned keys and values before the sequence, without a position, that every query attends to.
    pub registers: usize,
    /// Standard deviation of newly initialised weights.
    pub init_std: f32,
}

/// How the two parts of a block, attention and feed-forward network, are added to the residual stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residual {
    /// `y = x + attention(norm₁(x))`, then `y + mlp(norm₂(y))`: GPT-2 and most models since.
    PreNorm,
    /// `x + attention(norm₁(x)) + mlp(norm₂(x))`: GPT-J and GPT-NeoX (arXiv 2204.06745, section 2.1).
    Parallel,
    /// `y = norm₁(x + attention(x))`, then `norm₂(y + mlp(y))`: the first Transformers (arXiv 1706.03762), GPT-1, BERT.
    PostNorm,
}

/// The pooler of the state of the first token: `tanh(W x + b)`, and class logits (BERT, arXiv 1810.04805).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolerConfig {
    /// Number of classes; 0 for no classifier.
    pub labels: usize,
}

impl DecoderConfig {
    /// Outputs of the joint projection to queries, keys and values.
    pub fn qkv_width(&self) -> usize {
        (self.n_heads + 2 * self.n_kv_heads) * self.head_dim
    }

    /// Outputs of the first projection of the feed-forward network: with a gate, the values and then the gates.
    pub fn mlp_width(&self) -> usize {
        if self.gated { 2 * self.d_ffn } else { self.d_ffn }
    }

    /// Size of one token embedding.
    pub fn embedding_width(&self) -> usize {
        self.d_vocab.unwrap_or(self.d_model)
    }

    /// Length of the longest possible sequence, in tokens, if there are learned positions.
    pub fn limit(&self) -> Option<usize> {
        match self.positions {
            Positions::Learned { .. } => Some(self.context),
            Positions::Rotary(_) => None,
        }
    }

    /// Whether every candidate of a packed row (one prompt, several candidates) gets the same numbers as in a row of
    /// its own.
    ///
    /// This is false if numbers depend on the *length* of the sequence, which packed candidates do not share: with
    /// dynamic rotary scaling, and with registers and reversed positions. It is also false without causal attention,
    /// as the prompt would attend to the candidates. Such a model needs one candidate per row.
    pub fn is_packable(&self) -> bool {
        let by_length = match &self.positions {
            Positions::Rotary(rotary) => {
                let dynamic = matches!(rotary.scaling, RotaryScaling::Ntk { dynamic: Some(_), .. });
                dynamic || (rotary.reversed && self.registers > 0)
            }
            Positions::Learned { .. } => false,
        };
        self.causal && !by_length
    }

    /// The contradiction between these sizes, if there is one.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let sizes = [
            ("vocabulary", self.vocab),
            ("context", self.context),
            ("hidden size", self.d_model),
            ("feed-forward size", self.d_ffn),
            ("number of heads", self.n_heads),
            ("number of key/value heads", self.n_kv_heads),
            ("head size", self.head_dim),
            ("embedding size", self.embedding_width()),
        ];
        if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Some(format!("the {name} is 0; it must be at least 1"));
        }
        if !self.n_heads.is_multiple_of(self.n_kv_heads) {
            return Some(format!(
                "{} query heads cannot share {} key/value heads evenly",
                self.n_heads, self.n_kv_heads
            ));
        }
        match self.positions {
            Positions::Rotary(rotary) if rotary.dims == self.head_dim && !rotary.dims.is_multiple_of(2) => {
                Some(format!("the head size {} is odd, a rotation needs pairs", self.head_dim))
            }
            Positions::Rotary(rotary)
                if rotary.dims == 0 || rotary.dims > self.head_dim || !rotary.dims.is_multiple_of(2) =>
            {
                Some(format!(
                    "of a head of size {} the first {} components cannot be turned in pairs",
                    self.head_dim, rotary.dims
                ))
            }
            _ => None,
        }
    }
}
