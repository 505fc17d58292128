//! The product of a row with a matrix that is stored by rows.
//!
//! It takes as long as the matrix is read from memory. `gemm` adds one row of the matrix at a time; with several rows at a time the output is
//! read and written less often, and the processor fetches several runs of memory at once.

use std::array;

use pulp::{Simd, WithSimd};

/// Rows of the matrix that are added at a time.
const ROWS: usize = 8;

/// Adds `row · matrix` to `out`. The matrix has as many rows as `row` elements, `stride` apart, with as many columns as `out`.
pub(super) fn add_row_product(out: &mut [f32], row: &[f32], matrix: &[f32], stride: usize) {
    pulp::Arch::new().dispatch(RowProduct { out, row, matrix, stride });
}

struct RowProduct<'a> {
    out: &'a mut [f32],
    row: &'a [f32],
    matrix: &'a [f32],
    stride: usize,
}

impl WithSimd for RowProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { out, row, matrix, stride } = self;
        let (groups, rest) = row.as_chunks::<ROWS>();
        for (group, factors) in groups.iter().enumerate() {
            add_rows(simd, out, factors, &matrix[group * ROWS * stride..], stride);
        }
        let first = groups.len() * ROWS;
        for (index, &factor) in rest.iter().enumerate() {
            add_rows(simd, out, &[factor], &matrix[(first + index) * stride..], stride);
        }
    }
}

/// Adds the first rows of a matrix, each times its factor, one after another.
#[inline(always)]
fn add_rows<S: Simd, const N: usize>(
    simd: S,
    out: &mut [f32],
    factors: &[f32; N],
    matrix: &[f32],
    stride: usize,
) {
    let factors: [S::f32s; N] = array::from_fn(|row| simd.splat_f32s(factors[row]));
    let rows: [_; N] = array::from_fn(|row| S::as_simd_f32s(&matrix[row * stride..][..out.len()]));
    let (blocks, rest) = S::as_mut_simd_f32s(out);
    for (index, sum) in blocks.iter_mut().enumerate() {
        for row in 0..N {
            *sum = simd.mul_add_f32s(rows[row].0[index], factors[row], *sum);
        }
    }
    if !rest.is_empty() {
        let mut sum = simd.partial_load_f32s(rest);
        for row in 0..N {
            sum = simd.mul_add_f32s(simd.partial_load_f32s(rows[row].1), factors[row], sum);
        }
        simd.partial_store_f32s(rest, sum);
    }
}
