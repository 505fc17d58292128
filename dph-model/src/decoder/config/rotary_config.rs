//! [`RotaryConfig`]: the wavelengths of rotary positions.

/// Rotary position embedding (Su et al., arXiv 2104.09864), in the "rotate half" layout of Hugging Face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RotaryConfig {
    /// Number of leading components of each head that are rotated. Even.
    pub dims: usize,
    /// Base of the geometric series of wavelengths.
    pub theta: f64,
    /// Scaling of the wavelengths for longer contexts.
    pub scaling: RotaryScaling,
    /// Whether positions count down to 0 at the end of the sequence instead of up from 0 at its start.
    pub reversed: bool,
}

/// Scaling of the rotary wavelengths for contexts longer than in training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RotaryScaling {
    /// None.
    None,
    /// Positions are divided by a factor (position interpolation, Chen et al., arXiv 2306.15595).
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Llama 3: long wavelengths are scaled, short ones are not, and those between are interpolated.
    Llama3 {
        /// Scale of the long wavelengths.
        factor: f64,
        /// Wavelengths above `original_context / low_freq_factor` are fully scaled.
        low_freq_factor: f64,
        /// Wavelengths below `original_context / high_freq_factor` are not scaled.
        high_freq_factor: f64,
        /// Context length before scaling, in tokens.
        original_context: usize,
    },
    /// A larger base ("NTK aware"): `theta · scale^(dims / (dims - 2))`.
    Ntk {
        /// The factor.
        scale: f64,
        /// Scaling that grows with the sequence beyond the trained length.
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
    /// Attention temperature without scaling.
    pub yarn_b: f64,
}
