//! [`RotaryConfig`]: the wavelengths of rotary positions.

/// Rotary position embedding (Su et al., arXiv 2104.09864), in the "rotate half" layout of Hugging Face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RotaryConfig {
    /// How many components of each head are turned, from the first; the others stay. Even.
    pub dims: usize,
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
    /// A larger base ("NTK aware"): `theta · scale^(dims / (dims - 2))`.
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
