//! [`BlockType`]: quantised blocks in the layouts of ggml.
//!
//! The layouts are from ggml's `ggml-common.h`: every block starts with, or ends in, its scales in f16; the numbers
//! are small integers of 4 to 8 bits. A number is `scale · integer`, and with a minimum `scale · integer ± minimum`.

use std::fmt;

use half::f16;

/// Numbers in a block of the older types.
const BLOCK: usize = 32;
/// Numbers in a block of the K types.
const SUPER_BLOCK: usize = 256;

/// A type of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockType {
    /// 32 numbers of 4 bits, one scale.
    Q4_0,
    /// 32 numbers of 4 bits, a scale and a minimum.
    Q4_1,
    /// 32 numbers of 5 bits, one scale.
    Q5_0,
    /// 32 numbers of 5 bits, a scale and a minimum.
    Q5_1,
    /// 32 numbers of 8 bits, one scale.
    Q8_0,
    /// 256 numbers of 4 bits, with a scale and a minimum of 6 bits for each 32.
    Q4K,
    /// 256 numbers of 5 bits, with a scale and a minimum of 6 bits for each 32.
    Q5K,
    /// 256 numbers of 6 bits, with a scale of 8 bits for each 16.
    Q6K,
}

impl BlockType {
    /// Numbers in a block.
    #[allow(clippy::len_without_is_empty, reason = "no block is empty")]
    pub fn len(self) -> usize {
        match self {
            Self::Q4K | Self::Q5K | Self::Q6K => SUPER_BLOCK,
            _ => BLOCK,
        }
    }

    /// Bytes of a block.
    pub fn bytes(self) -> usize {
        match self {
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
        }
    }

    /// Whole blocks to numbers.
    pub(crate) fn widen(self, bytes: &[u8], values: &mut [f32]) {
        for (block, values) in bytes.chunks_exact(self.bytes()).zip(values.chunks_exact_mut(self.len())) {
            match self {
                Self::Q4_0 => nibbles(&block[2..], None, values, |q| half(block, 0) * (q - 8) as f32),
                Self::Q4_1 => {
                    nibbles(&block[4..], None, values, |q| half(block, 0) * q as f32 + half(block, 2))
                }
                Self::Q5_0 => {
                    nibbles(&block[6..], Some(word(block, 2)), values, |q| half(block, 0) * (q - 16) as f32)
                }
                Self::Q5_1 => nibbles(&block[8..], Some(word(block, 4)), values, |q| {
                    half(block, 0) * q as f32 + half(block, 2)
                }),
                Self::Q8_0 => {
                    let scale = half(block, 0);
                    for (value, &q) in values.iter_mut().zip(&block[2..]) {
                        *value = scale * f32::from(q.cast_signed());
                    }
                }
                Self::Q4K => with_minima(block, &[], &block[16..], values),
                Self::Q5K => with_minima(block, &block[16..48], &block[48..], values),
                Self::Q6K => six_bits(block, values),
            }
        }
    }
}

impl fmt::Display for BlockType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Q4_0 => "q4_0",
            Self::Q4_1 => "q4_1",
            Self::Q5_0 => "q5_0",
            Self::Q5_1 => "q5_1",
            Self::Q8_0 => "q8_0",
            Self::Q4K => "q4_k",
            Self::Q5K => "q5_k",
            Self::Q6K => "q6_k",
        })
    }
}

fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

fn word(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

/// 32 numbers: the lower halves of 16 bytes, then the upper ones; `fifth` has one more bit for each number.
fn nibbles(bytes: &[u8], fifth: Option<u32>, values: &mut [f32], number: impl Fn(i32) -> f32) {
    let fifth = fifth.unwrap_or(0);
    let bit = |index: usize| ((fifth >> index) & 1) << 4;
    for (index, &byte) in bytes.iter().enumerate().take(BLOCK / 2) {
        values[index] = number((u32::from(byte & 15) | bit(index)).cast_signed());
        let upper = index + BLOCK / 2;
        values[upper] = number((u32::from(byte >> 4) | bit(upper)).cast_signed());
    }
}

/// A Q4_K or Q5_K block: pairs of 32 numbers share 32 bytes, the first in their lower halves. `fifths` has, for Q5_K, a
/// byte for each place in 32 numbers, with one bit for each of the eight parts.
fn with_minima(block: &[u8], fifths: &[u8], bytes: &[u8], values: &mut [f32]) {
    let (scale, minimum) = (half(block, 0), half(block, 2));
    for (part, values) in values.chunks_exact_mut(BLOCK).enumerate() {
        let (own_scale, own_minimum) = six_bit_pair(&block[4..16], part);
        let (scale, minimum) = (scale * f32::from(own_scale), minimum * f32::from(own_minimum));
        let bytes = &bytes[part / 2 * BLOCK..][..BLOCK];
        for (index, value) in values.iter_mut().enumerate() {
            let low = if part % 2 == 0 { bytes[index] & 15 } else { bytes[index] >> 4 };
            let fifth = fifths.get(index).map_or(0, |bits| ((bits >> part) & 1) << 4);
            *value = scale * f32::from(low | fifth) - minimum;
        }
    }
}

/// Scale and minimum of one of the eight parts of a block, which are packed into 12 bytes: those of the first four lie in the
/// lower 6 bits of their own bytes, those of the others are put together from the last four bytes and the spare bits.
fn six_bit_pair(packed: &[u8], part: usize) -> (u8, u8) {
    match part.checked_sub(4) {
        None => (packed[part] & 63, packed[part + 4] & 63),
        Some(spare) => {
            let low = packed[part + 4];
            ((low & 15) | ((packed[spare] >> 6) << 4), (low >> 4) | ((packed[part] >> 6) << 4))
        }
    }
}

/// A Q6_K block: 128 bytes with the lower 4 bits, 64 with the upper 2, 16 signed scales, and the scale of the scales.
fn six_bits(block: &[u8], values: &mut [f32]) {
    let scale = half(block, 208);
    for (half_block, values) in values.chunks_exact_mut(SUPER_BLOCK / 2).enumerate() {
        let low = &block[half_block * 64..][..64];
        let high = &block[128 + half_block * 32..][..32];
        let scales = &block[192 + half_block * 8..][..8];
        for (quarter, values) in values.chunks_exact_mut(BLOCK).enumerate() {
            for (index, value) in values.iter_mut().enumerate() {
                let byte = low[quarter % 2 * BLOCK + index];
                let four = if quarter < 2 { byte & 15 } else { byte >> 4 };
                let six = four | (((high[index] >> (2 * quarter)) & 3) << 4);
                let own = scales[quarter * 2 + index / 16].cast_signed();
                *value = scale * f32::from(own) * f32::from(six.cast_signed() - 32);
            }
        }
    }
}
