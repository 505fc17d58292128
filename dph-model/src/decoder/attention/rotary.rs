//! Rotary positions: the rotation angles of every token's queries and keys.

use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};

use crate::decoder::config::{DynamicScaling, RotaryConfig, RotaryScaling};

/// The rotations of the tokens of one forward pass.
///
/// Tokens share a table of angles, since most positions occur many times. The attention temperature of
/// [`DynamicScaling`] is part of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotation {
    /// Number of angles per position: half the number of rotated components, 0 without rotation.
    pub half: usize,
    /// Cosines times temperature, `[entries, half]`.
    pub cos: Vec<f32>,
    /// Sines times temperature, `[entries, half]`.
    pub sin: Vec<f32>,
    /// Entry of each token, `[rows, seq]`.
    pub entries: Vec<u32>,
    /// Attention temperature of each row: the factor of the registers, which are not rotated.
    pub temperatures: Vec<f32>,
}

impl RotaryConfig {
    /// The rotations of `positions` (`[rows, seq]`), where row `i` is `lengths[i]` positions long.
    ///
    /// The length matters for reversed positions and for dynamic scaling.
    pub fn rotation(&self, positions: &[i32], lengths: &[usize]) -> Rotation {
        let half = self.dims / 2;
        let mut rotation = Rotation {
            half,
            cos: Vec::new(),
            sin: Vec::new(),
            entries: Vec::with_capacity(positions.len()),
            temperatures: Vec::with_capacity(lengths.len()),
        };
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let seq = positions.len() / lengths.len().max(1);
        let scaled_for = |length| if self.dynamic().is_some() { length } else { longest };
        // The number of steps of a token's rotation.
        let steps = |row: usize| {
            let last = lengths[row].saturating_sub(1);
            positions[row * seq..(row + 1) * seq].iter().map(move |&position| {
                let position = (position.max(0) as usize).min(last);
                if self.reversed { last - position } else { position }
            })
        };
        // The range of steps for each length that needs its own table.
        let mut ranges = BTreeMap::new();
        for (row, &length) in lengths.iter().enumerate() {
            let range = ranges.entry(scaled_for(length)).or_insert(Range { start: usize::MAX, end: 0 });
            *range =
                steps(row).fold(range.clone(), |range, step| range.start.min(step)..range.end.max(step + 1));
        }
        // First entry of each table.
        let mut tables = BTreeMap::new();
        for (row, &length) in lengths.iter().enumerate() {
            let range = &ranges[&scaled_for(length)];
            let (first, temperature) = *tables.entry(scaled_for(length)).or_insert_with(|| {
                let first = rotation.cos.len() / half;
                let (frequencies, temperature) = self.frequencies(scaled_for(length));
                for step in range.clone() {
                    for &frequency in &frequencies {
                        let angle = f64::from(step as f32 * frequency);
                        rotation.cos.push((angle.cos() * temperature) as f32);
                        rotation.sin.push((angle.sin() * temperature) as f32);
                    }
                }
                (first, temperature)
            });
            rotation.temperatures.push(temperature as f32);
            rotation.entries.extend(steps(row).map(|step| (first + step - range.start) as u32));
        }
        rotation
    }

    /// The angle per position of each pair of components, and the attention temperature, for a sequence of this
    /// length.
    fn frequencies(&self, length: usize) -> (Vec<f32>, f64) {
        let d = self.dims as f64;
        let series = |theta: f64| {
            (0..self.dims / 2).map(move |pair| theta.powf(-2.0 * pair as f64 / d)).collect::<Vec<_>>()
        };
        let (frequencies, temperature) = match self.scaling {
            RotaryScaling::None => (series(self.theta), 1.0),
            RotaryScaling::Linear { factor } => {
                (series(self.theta).into_iter().map(|frequency| frequency / factor).collect(), 1.0)
            }
            RotaryScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
                let original = original_context as f64;
                let stretch = |frequency: f64| {
                    let turns = original * frequency / (2.0 * PI);
                    // 0 below `low` turns in the original context, 1 above `high`.
                    let kept =
                        ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
                    frequency * ((1.0 - kept) / factor + kept)
                };
                (series(self.theta).into_iter().map(stretch).collect(), 1.0)
            }
            RotaryScaling::Ntk { scale, dynamic } => {
                let ratio =
                    dynamic.map_or(1.0, |dynamic| (length as f64 / dynamic.positions as f64).max(1.0));
                let theta = self.theta * (scale * ratio * ratio).powf(d / (d - 2.0));
                (series(theta), dynamic.map_or(1.0, |dynamic| dynamic.yarn_a * ratio.ln() + dynamic.yarn_b))
            }
        };
        (frequencies.into_iter().map(|frequency| frequency as f32).collect(), temperature)
    }

    fn dynamic(&self) -> Option<DynamicScaling> {
        match self.scaling {
            RotaryScaling::Ntk { dynamic, .. } => dynamic,
            _ => None,
        }
    }
}

impl Rotation {
    /// No rotation, for a number of tokens and rows.
    pub(crate) fn none(tokens: usize, rows: usize) -> Self {
        let (cos, sin) = (Vec::new(), Vec::new());
        Self { half: 0, cos, sin, entries: vec![0; tokens], temperatures: vec![1.0; rows] }
    }

    /// The factors of [`rotate`], both `[rows, 1, seq, 2 · half]`: cosines, and sines with the sign of their
    /// component. `None` without rotation.
    pub(crate) fn tensors(&self, device: &Device) -> Option<(Tensor<4>, Tensor<4>)> {
        if self.half == 0 {
            return None;
        }
        let rows = self.temperatures.len();
        let seq = self.entries.len() / rows.max(1);
        let gather = |table: &[f32], sign: f32| {
            let of_token = |&entry: &u32| {
                let angles = &table[entry as usize * self.half..][..self.half];
                angles.iter().map(move |value| sign * value).chain(angles.iter().copied())
            };
            let values: Vec<f32> = self.entries.iter().flat_map(of_token).collect();
            Tensor::from_data(TensorData::new(values, [rows, 1, seq, 2 * self.half]), device)
        };
        Some((gather(&self.cos, 1.0), gather(&self.sin, -1.0)))
    }
}

/// Rotates heads `[rows, heads, seq, head_dim]` by the last `seq` angles of [`Rotation::tensors`]. The first half of
/// the rotated components is paired with the second half.
pub(crate) fn rotate(heads: Tensor<4>, cos: &Tensor<4>, sin: &Tensor<4>) -> Tensor<4> {
    let [_, _, seq, head_dim] = heads.dims();
    let [_, _, angles, turned] = cos.dims();
    let half = turned / 2;
    let last = |table: &Tensor<4>| table.clone().narrow(2, angles - seq, seq);
    let part = |first, count| heads.clone().narrow(3, first, count);
    let partners = Tensor::cat(vec![part(half, half), part(0, half)], 3);
    let rotated = part(0, turned) * last(cos) + partners * last(sin);
    match head_dim == turned {
        true => rotated,
        false => Tensor::cat(vec![rotated, part(turned, head_dim - turned)], 3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(dims: usize, reversed: bool) -> RotaryConfig {
        RotaryConfig { dims, theta: 10_000.0, scaling: RotaryScaling::None, reversed }
    }

    #[test]
    fn angles_grow_with_the_position_and_reversed_ones_fall_to_zero() {
        let forward = plain(4, false).rotation(&[0, 1, 2], &[3]);
        assert_eq!(forward.entries, [0, 1, 2]);
        assert_eq!(forward.cos[..2], [1.0, 1.0]);
        let expected = [1f64.sin() as f32, (0.01f32 as f64).sin() as f32];
        assert_eq!(forward.sin[2..4], expected);
        assert_eq!(plain(4, true).rotation(&[0, 1, 2], &[3]).entries, [2, 1, 0]);
    }

    #[test]
    fn only_dynamic_scaling_gives_rows_tables_of_their_own() {
        let positions = [0, 1, 2, 3, 0, 1, 0, 0];
        let shared = plain(4, false).rotation(&positions, &[4, 2]);
        assert_eq!((shared.entries, shared.cos.len()), (vec![0, 1, 2, 3, 0, 1, 0, 0], 8));
        let dynamic = DynamicScaling { positions: 2, yarn_a: 0.1, yarn_b: 1.0 };
        let scaling = RotaryScaling::Ntk { scale: 1.0, dynamic: Some(dynamic) };
        let own = RotaryConfig { scaling, ..plain(8, false) }.rotation(&positions, &[4, 2]);
        assert_eq!(own.entries, [0, 1, 2, 3, 4, 5, 4, 4]);
        assert_eq!(own.temperatures, [(0.1 * 2f64.ln() + 1.0) as f32, 1.0]);
    }

    #[test]
    fn llama3_keeps_short_waves_and_stretches_long_ones() {
        let scaling = RotaryScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_context: 8192,
        };
        let config = RotaryConfig { dims: 128, theta: 500_000.0, scaling, reversed: false };
        let before = RotaryConfig { scaling: RotaryScaling::None, ..config }.frequencies(1).0;
        let after = config.frequencies(1).0;
        assert_eq!(before[0], after[0]);
        assert_eq!(before[63] / 8.0, after[63]);
        assert!(after.windows(2).all(|pair| pair[0] > pair[1]));
    }
    #[test]
    fn components_that_are_not_turned_stay() {
        let device = Device::flex();
        let heads = Tensor::<4>::from_data([[[[1.0, 2.0, 3.0, 4.0, 5.0]]]], &device);
        let (cos, sin) = plain(2, false).rotation(&[1], &[2]).tensors(&device).unwrap();
        let turned: Vec<f32> = rotate(heads, &cos, &sin).into_data().try_to_vec().unwrap();
        let (sin, cos) = 1f32.sin_cos();
        assert_eq!(turned[2..], [3.0, 4.0, 5.0]);
        assert!((turned[0] - (cos - 2.0 * sin)).abs() < 1e-6 && (turned[1] - (2.0 * cos + sin)).abs() < 1e-6);
    }
}
