//! The activations of feed-forward networks, element by element.

use super::simd;
use crate::decoder::kernels::exp;
use crate::decoder::{Activation, GELU_TANH_CUBE, GELU_TANH_SCALE, QUICK_GELU_SLOPE};

/// `value · activation(gate)` for rows of values followed by gates, in place of the values.
pub(super) fn gate(rows: &mut [f32], d_ffn: usize, activation: Activation) {
    match activation {
        Activation::Silu => gate_by(rows, d_ffn, silu),
        Activation::Gelu => gate_by(rows, d_ffn, gelu),
        Activation::GeluTanh => gate_by(rows, d_ffn, gelu_tanh),
        Activation::QuickGelu => gate_by(rows, d_ffn, quick_gelu),
        Activation::Relu => gate_by(rows, d_ffn, relu),
    }
}

/// The activation of every element.
pub(super) fn activate(elements: &mut [f32], activation: Activation) {
    match activation {
        Activation::Silu => each(elements, silu),
        Activation::Gelu => each(elements, gelu),
        Activation::GeluTanh => each(elements, gelu_tanh),
        Activation::QuickGelu => each(elements, quick_gelu),
        Activation::Relu => each(elements, relu),
    }
}

fn gate_by(rows: &mut [f32], d_ffn: usize, activation: impl Fn(f32) -> f32) {
    simd::fast(
        #[inline(always)]
        || {
            for row in rows.chunks_exact_mut(2 * d_ffn) {
                let (values, gates) = row.split_at_mut(d_ffn);
                for (value, &gate) in values.iter_mut().zip(&*gates) {
                    *value *= activation(gate);
                }
            }
        },
    );
}

fn each(elements: &mut [f32], activation: impl Fn(f32) -> f32) {
    simd::fast(
        #[inline(always)]
        || elements.iter_mut().for_each(|x| *x = activation(*x)),
    );
}

#[inline(always)]
fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    // `(1 + tanh(u)) / 2` is `sigmoid(2u)`.
    x / (1.0 + exp(-2.0 * GELU_TANH_SCALE * (x + GELU_TANH_CUBE * x * x * x)))
}

#[inline(always)]
fn quick_gelu(x: f32) -> f32 {
    x / (1.0 + exp(-QUICK_GELU_SLOPE * x))
}

#[inline(always)]
fn relu(x: f32) -> f32 {
    // Written so that NaN is propagated.
    if x < 0.0 { 0.0 } else { x }
}

/// `x · Φ(x)`, where the tail of the normal distribution is half the complementary error function by the formula 7.1.26
/// of Abramowitz and Stegun, whose error is below 1.5e-7.
#[inline(always)]
fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let p = 1.061_405_4;
    let p = p * t - 1.453_152;
    let p = p * t + 1.421_413_7;
    let p = p * t - 0.284_496_74;
    let p = p * t + 0.254_829_6;
    let tail = 0.5 * p * t * exp(-z * z);
    x * if x < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gelu_is_close_to_the_exact_one() {
        // The series of the error function, in f64.
        let erf = |x: f64| {
            let (mut term, mut sum) = (x, x);
            for n in 1..200 {
                term *= -x * x / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            sum * std::f64::consts::FRAC_2_SQRT_PI
        };
        for i in -500..=500 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x) * 0.5 * (1.0 + erf(f64::from(x) / std::f64::consts::SQRT_2));
            let ours = f64::from(gelu(x));
            assert!((ours - exact).abs() <= 4e-7 * (1.0 + exact.abs()), "gelu({x}) = {ours}, not {exact}");
        }
        assert!(gelu(1e4) == 1e4 && gelu(-1e4).abs() < 1e-30 && gelu(f32::NAN).is_nan());
    }
}
