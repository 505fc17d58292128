//! [`ElementType`]: the types of numbers in files, and their conversion to f32.

use std::fmt;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;

use super::gguf::BlockType;

/// Numbers converted by one thread at a time: a multiple of every block.
const PART: usize = 1 << 16;
/// Half-precision numbers converted at a time.
const HALVES: usize = 4096;

/// The type of a tensor's numbers in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ElementType {
    /// 64 bits.
    F64,
    /// 32 bits.
    F32,
    /// 16 bits with a 5-bit exponent.
    F16,
    /// 16 bits with an 8-bit exponent.
    Bf16,
    /// Blocks of a GGUF file that share a scale.
    Blocks(BlockType),
    /// A type that is not supported, by its name.
    Other(String),
}

impl ElementType {
    /// Whether weights of this type can be read.
    pub fn is_readable(&self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// Numbers and bytes per unit; `None` if unknown.
    pub(crate) fn unit(&self) -> Option<(usize, usize)> {
        match self {
            Self::F64 => Some((1, 8)),
            Self::F32 => Some((1, 4)),
            Self::F16 | Self::Bf16 => Some((1, 2)),
            Self::Blocks(block) => Some((block.len(), block.bytes())),
            Self::Other(_) => None,
        }
    }

    /// Fills `values` from the bytes of a tensor. The length of `bytes` must match [`unit`](Self::unit).
    pub(crate) fn widen(&self, bytes: &[u8], values: &mut [f32]) {
        let Some((len, size)) = self.unit() else { return };
        values
            .par_chunks_mut(PART)
            .zip(bytes.par_chunks(PART / len * size))
            .for_each(|(values, bytes)| self.widen_part(bytes, values));
    }

    fn widen_part(&self, bytes: &[u8], values: &mut [f32]) {
        match self {
            Self::F64 => {
                for (value, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
                    *value = f64::from_le_bytes(*bytes) as f32;
                }
            }
            Self::F32 => {
                for (value, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
                    *value = f32::from_le_bytes(*bytes);
                }
            }
            Self::F16 => widen_halves(bytes, values, f16::from_le_bytes),
            Self::Bf16 => widen_halves(bytes, values, bf16::from_le_bytes),
            Self::Blocks(block) => block.widen(bytes, values),
            Self::Other(_) => {}
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::F64 => f.write_str("f64"),
            Self::F32 => f.write_str("f32"),
            Self::F16 => f.write_str("f16"),
            Self::Bf16 => f.write_str("bf16"),
            Self::Blocks(block) => write!(f, "{block}"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

fn widen_halves<H: Copy + Default>(bytes: &[u8], values: &mut [f32], read: fn([u8; 2]) -> H)
where
    [H]: HalfFloatSliceExt,
{
    let mut halves = [H::default(); HALVES];
    for (values, bytes) in values.chunks_mut(HALVES).zip(bytes.chunks(2 * HALVES)) {
        for (half, bytes) in halves.iter_mut().zip(bytes.as_chunks().0) {
            *half = read(*bytes);
        }
        halves[..values.len()].convert_to_f32_slice(values);
    }
}
