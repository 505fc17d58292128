//! [`Positions`]: how the place of a token in its sequence enters.

use super::rotary::Rotation;
use super::rotary_config::{RotaryConfig, RotaryScaling};

/// How the place of a token in its sequence enters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Positions {
    /// Queries and keys are turned by it.
    Rotary(RotaryConfig),
    /// Every position has a learnt vector that is added to the embedding of its token.
    Learned {
        /// Rows of the table in front of that of position 0, which are never used.
        offset: usize,
    },
}

impl Positions {
    /// What the queries and keys of tokens at `positions` (`[rows, seq]`) are turned by, where row `i` is `lengths[i]`
    /// positions long; by nothing with learnt positions.
    pub fn rotation(&self, positions: &[i32], lengths: &[usize]) -> Rotation {
        match self {
            Self::Rotary(rotary) => rotary.rotation(positions, lengths),
            Self::Learned { .. } => Rotation::none(positions.len(), lengths.len()),
        }
    }

    /// Whether what a token's query and key are turned by changes when further tokens follow.
    pub fn depend_on_length(&self) -> bool {
        match self {
            Self::Rotary(rotary) => {
                rotary.reversed || matches!(rotary.scaling, RotaryScaling::Ntk { dynamic: Some(_), .. })
            }
            Self::Learned { .. } => false,
        }
    }
}
