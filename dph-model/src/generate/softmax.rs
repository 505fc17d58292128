//! [`Softmax`]: sums over the logits of a vocabulary.

use crate::decoder::kernels::exp;

const LANES: usize = 16;
/// Logits that are summed in f32 before the sum is added to one in f64.
const BLOCK: usize = 64 * LANES;

/// The sums that a softmax of logits `x / temperature` needs.
pub(super) struct Softmax {
    peak: f32,
    /// `Σ exp((x - peak) / temperature)`.
    total: f64,
    /// Mean of the logits.
    pub mean: f64,
}

impl Softmax {
    pub fn new(logits: &[f32], temperature: f32) -> Self {
        let peak = logits.iter().copied().fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
        let scale = 1.0 / temperature;
        let (mut total, mut sum) = (0.0, 0.0);
        for block in logits.chunks(BLOCK) {
            let (mut totals, mut sums) = ([0.0f32; LANES], [0.0f32; LANES]);
            let (lanes, rest) = block.as_chunks::<LANES>();
            for lane in lanes {
                for ((x, total), sum) in lane.iter().zip(&mut totals).zip(&mut sums) {
                    *total += exp((x - peak) * scale);
                    *sum += x;
                }
            }
            for x in rest {
                totals[0] += exp((x - peak) * scale);
                sums[0] += x;
            }
            total += f64::from(totals.iter().sum::<f32>());
            sum += f64::from(sums.iter().sum::<f32>());
        }
        Self { peak, total, mean: sum / logits.len() as f64 }
    }

    /// `ln Σ exp(x)`, for a temperature of 1.
    pub fn log_total(&self) -> f64 {
        f64::from(self.peak) + self.total.ln()
    }
}
