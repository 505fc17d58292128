//! Element-wise loops, compiled for the best instruction set of the processor.
//!
//! The loops are plain Rust; [`pulp`] compiles them for several instruction sets and selects one at run time. Sums
//! run in [`LANES`] parallel partial sums, so that they vectorise, in the same order on every processor.

use pulp::{Simd, WithSimd};

use crate::decoder::kernels::exp;
use crate::decoder::{Norm, NormKind, QueryKeyNormConfig};

const LANES: usize = 16;

/// Runs a loop compiled for the best instruction set. The loop, and functions that it calls, must be inlined.
#[inline(always)]
pub(super) fn fast(work: impl FnMut()) {
    pulp::Arch::new().dispatch(Loop(work));
}

/// A loop that is called by reference: a call by value goes through a function of the compiler, which is not inlined and so is compiled
/// for the oldest processors.
struct Loop<F>(F);

impl<F: FnMut()> WithSimd for Loop<F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        (self.0)();
    }
}

/// `row = norm(row)` for each row of `source`, written to `out`; `width` elements per row.
pub(super) fn normalise(source: &[f32], out: &mut [f32], width: usize, norm: &NormSlices) {
    fast(
        #[inline(always)]
        || {
            for (row, out) in source.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
                let mean = match norm.kind {
                    NormKind::Rms => 0.0,
                    NormKind::Layer => sum(row, |x| x) / width as f32,
                };
                let variance = sum(row, |x| (x - mean) * (x - mean)) / width as f32;
                let scale = 1.0 / (variance + norm.epsilon).sqrt();
                for ((out, &x), &weight) in out.iter_mut().zip(row).zip(norm.weight) {
                    *out = (x - mean) * scale * weight;
                }
                if let Some(bias) = norm.bias {
                    for (out, &bias) in out.iter_mut().zip(bias) {
                        *out += bias;
                    }
                }
            }
        },
    );
}

/// A norm's parameters.
pub(super) struct NormSlices<'a> {
    pub kind: NormKind,
    pub epsilon: f32,
    pub weight: &'a [f32],
    pub bias: Option<&'a [f32]>,
}

impl<'a> NormSlices<'a> {
    pub fn new(norm: &Norm, weight: &'a [f32], bias: Option<&'a [f32]>) -> Self {
        Self { kind: norm.config.kind, epsilon: norm.config.epsilon as f32, weight, bias }
    }
}

/// Adds `bias` to every row.
pub(super) fn add_bias(rows: &mut [f32], bias: &[f32]) {
    fast(
        #[inline(always)]
        || {
            for row in rows.chunks_exact_mut(bias.len()) {
                for (x, &bias) in row.iter_mut().zip(bias) {
                    *x += bias;
                }
            }
        },
    );
}

/// Divides one head by its root mean square, in place.
#[inline(always)]
pub(super) fn normalise_head(head: &mut [f32], weight: &[f32], config: QueryKeyNormConfig) {
    let square = sum(head, |x| x * x) / head.len() as f32;
    let root = match config {
        QueryKeyNormConfig::PerHead { epsilon } => square.sqrt() + epsilon as f32,
        QueryKeyNormConfig::Shared { epsilon } => (square + epsilon as f32).sqrt(),
    };
    let scale = 1.0 / root;
    for (x, &weight) in head.iter_mut().zip(weight) {
        *x *= scale * weight;
    }
}

/// Rotates one head and multiplies it by `factor`. The rotated components are twice as many as the cosines; the first
/// half is paired with the second.
#[inline(always)]
pub(super) fn rotate(head: &mut [f32], cos: &[f32], sin: &[f32], factor: f32) {
    let (turned, rest) = head.split_at_mut(2 * cos.len());
    let (xs, ys) = turned.split_at_mut(cos.len());
    for (((x, y), &cos), &sin) in xs.iter_mut().zip(ys).zip(cos).zip(sin) {
        (*x, *y) = ((*x * cos - *y * sin) * factor, (*y * cos + *x * sin) * factor);
    }
    rest.iter_mut().for_each(|x| *x *= factor);
}

/// `scores = exp(scores - max)` in place for each row of `keys` scores, and 0 for the last ones, which `hidden` counts for the row. `found` is
/// given the row, `max` and the sum.
#[inline(always)]
pub(super) fn exp_visible(
    scores: &mut [f32],
    keys: usize,
    hidden: impl Fn(usize) -> usize,
    mut found: impl FnMut(usize, f32, f32),
) {
    fast(
        #[inline(always)]
        || {
            for (index, row) in scores.chunks_exact_mut(keys).enumerate() {
                let (visible, hidden) = row.split_at_mut(keys - hidden(index));
                let (peak, sum) = exp_scores(visible);
                hidden.fill(0.0);
                found(index, peak, sum);
            }
        },
    );
}

/// `scores = exp(scores - max)` in place. The result is `max` and their sum.
#[inline(always)]
fn exp_scores(scores: &mut [f32]) -> (f32, f32) {
    let peak = max(scores);
    let mut sums = [0.0; LANES];
    let (blocks, rest) = scores.as_chunks_mut::<LANES>();
    for block in blocks {
        for (x, sum) in block.iter_mut().zip(&mut sums) {
            *x = exp(*x - peak);
            *sum += *x;
        }
    }
    let mut total: f32 = sums.iter().sum();
    for x in rest {
        *x = exp(*x - peak);
        total += *x;
    }
    (peak, total)
}

/// The largest element and the sum of `exp(x - largest)`.
#[inline(always)]
pub(super) fn peak_and_sum(row: &[f32]) -> (f32, f32) {
    let peak = max(row);
    (peak, sum(row, |x| exp(x - peak)))
}

#[inline(always)]
fn max(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane = if x > *lane { x } else { *lane };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
}

#[inline(always)]
fn sum(row: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane += of(x);
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|&x| of(x)).sum::<f32>()
}
