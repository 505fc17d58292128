//! [`DecoderConfig`]: everything that distinguishes one decoder from another.

/// The shape of a decoder: sizes, and which of the known variants each part uses.
///
/// Model families differ only in these values; see [`family`](crate::family) for how they are read from a
/// `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderConfig {
    /// Number of token ids.
    pub vocab: usize,
    /// Longest sequence the model was trained for, in tokens.
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
    /// Size of one head; even, and not necessarily `d_model / n_heads`.
    pub head_dim: usize,
    /// Size of the token embedding where it is factored: the embedding is then projected to `d_model` and
    /// normalised, and the last state is projected back before it meets the embedding. `None`: embeddings have
    /// size `d_model` and are used as they are.
    pub d_vocab: Option<usize>,
    /// Whether the token embedding is also the output matrix.
    pub tied_head: bool,
    /// The normalisation in front of every part and at the end.
    pub norm: NormConfig,
    /// The activation of the feed-forward network.
    pub activation: Activation,
    /// Whether the activation is a gate on a second projection (`value · activation(gate)`).
    pub gated: bool,
    /// Whether the query, key and value projections have a bias.
    pub qkv_bias: bool,
    /// Whether the projection behind the attention has a bias.
    pub attention_output_bias: bool,
    /// Whether the projections of the feed-forward network have a bias.
    pub mlp_bias: bool,
    /// Root-mean-square norm of every query and key head before the rotation, with this constant added to the root:
    /// `x / (rms(x) + constant) · weight`.
    pub query_key_norm: Option<f64>,
    /// Number of learnt keys and values that every query sees in front of the sequence, without a position.
    pub registers: usize,
    /// How positions enter the attention.
    pub rotary: RotaryConfig,
    /// Standard deviation of newly initialised weights.
    pub init_std: f32,
}

/// A normalisation of hidden states.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormConfig {
    /// Which normalisation.
    pub kind: NormKind,
    /// Constant added to the mean square or variance.
    pub epsilon: f64,
    /// Whether a learnt bias is added at the end.
    pub bias: bool,
}

/// Which normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// Root mean square (Zhang and Sennrich, arXiv 1910.07467).
    Rms,
    /// Mean and variance (Ba et al., arXiv 1607.06450).
    Layer,
}

/// The activation of a feed-forward network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x · sigmoid(x)`.
    Silu,
    /// The exact GELU, with the error function.
    Gelu,
}

/// Rotary position embedding (Su et al., arXiv 2104.09864), in the "rotate half" layout of Hugging Face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RotaryConfig {
    /// Base of the geometric series of wavelengths.
    pub theta: f64,
    /// Change of the wavelengths for longer contexts.
    pub scaling: RotaryScaling,
    /// Whether positions count down to 0 at the end of the sequence instead of up from 0 at its start.
    pub reversed: bool,
}

/// Change of the rotary wavelengths for contexts longer than those of the training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RotaryScaling {
    /// None.
    None,
    /// Llama 3: long wavelengths are stretched, short ones kept, those between interpolated.
    Llama3 {
        /// How much the long wavelengths are stretched.
        factor: f64,
        /// Wavelengths above `original_context / low_freq_factor` are stretched in full.
        low_freq_factor: f64,
        /// Wavelengths below `original_context / high_freq_factor` are kept.
        high_freq_factor: f64,
        /// Context length before the stretch, in tokens.
        original_context: usize,
    },
    /// A larger base ("NTK aware"): `theta · scale^(head_dim / (head_dim - 2))`.
    Ntk {
        /// The factor.
        scale: f64,
        /// Grow with the length of the sequence beyond the trained one.
        dynamic: Option<DynamicScaling>,
    },
}

/// Rotary scaling by the ratio `r = max(1, length / positions)`: the NTK factor is multiplied by `r²`, and queries,
/// keys and registers by the attention temperature `a · ln r + b` of YaRN (Peng et al., arXiv 2309.00071).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DynamicScaling {
    /// Trained length in tokens.
    pub positions: usize,
    /// Slope of the attention temperature.
    pub yarn_a: f64,
    /// Attention temperature without stretch.
    pub yarn_b: f64,
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

    /// Whether a packed row (one prompt, several candidates) gives every candidate the numbers it would have alone.
    ///
    /// It does not where numbers depend on the *length* of a sequence, which packed candidates do not share: with
    /// dynamic rotary scaling, and with registers under reversed positions. Such a model wants one candidate a row.
    pub fn is_packable(&self) -> bool {
        let dynamic = matches!(self.rotary.scaling, RotaryScaling::Ntk { dynamic: Some(_), .. });
        let registers = self.rotary.reversed && self.registers > 0;
        !dynamic && !registers
    }

    /// Why these sizes cannot make a decoder, if so.
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
            return Some(format!("the {name} is 0"));
        }
        if !self.n_heads.is_multiple_of(self.n_kv_heads) {
            return Some(format!(
                "{} query heads cannot share {} key/value heads evenly",
                self.n_heads, self.n_kv_heads
            ));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Some(format!("the head size {} is odd, a rotation needs pairs", self.head_dim));
        }
        None
    }
}
