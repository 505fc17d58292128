//! [`Positions`]: the position encoding.

use super::rotary_config::{RotaryConfig, RotaryScaling};
use crate::decoder::attention::Rotation;

/// The position encoding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Positions {
    /// Queries and keys are rotated.
    Rotary(RotaryConfig),
    /// A learned vector per position is added to the token embedding.
    Learned {
        /// Number of unused rows of the table before position 0.
        offset: usize,
    },
}

impl Positions {
    /// The rotations of queries and keys at `positions` (`[rows, seq]`), where row `i` is `lengths[i]` positions
    /// long. No rotation for learned positions.
    pub fn rotation(&self, positions: &[i32], lengths: &[usize]) -> Rotation {
        match self {
            Self::Rotary(rotary) => rotary.rotation(positions, lengths),
            Self::Learned { .. } => Rotation::none(positions.len(), lengths.len()),
        }
    }

    /// Whether the rotation of a token changes when further tokens are added.
    pub fn depend_on_length(&self) -> bool {
        match self {
            Self::Rotary(rotary) => {
                rotary.reversed || matches!(rotary.scaling, RotaryScaling::Ntk { dynamic: Some(_), .. })
            }
            Self::Learned { .. } => false,
        }
    }
}
