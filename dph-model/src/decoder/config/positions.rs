//! [`Positions`]: the position encoding.

use super::rotary_config::RotaryConfig;
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

    /// Rotations that do not change when further tokens are added, for a model
    /// [whose numbers do not depend on the length](crate::DecoderConfig::is_packable). Scores of rotated queries and keys
    /// depend only on the distance of their positions, so that the reversed order is a change of sign.
    pub(crate) fn fixed_rotation(&self, positions: &[i32], lengths: &[usize]) -> Rotation {
        match self {
            Self::Rotary(rotary) => {
                let mut rotation = RotaryConfig { reversed: false, ..*rotary }.rotation(positions, lengths);
                if rotary.reversed {
                    rotation.sin.iter_mut().for_each(|sine| *sine = -*sine);
                }
                rotation
            }
            Self::Learned { .. } => self.rotation(positions, lengths),
        }
    }
}
