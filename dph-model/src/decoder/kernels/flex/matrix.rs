//! Matrix products on strided slices.

use std::ops::Range;

use rayon::prelude::*;

use super::row_product::add_row_product;
use super::scratch;

/// Fewest elements of a matrix that is divided among the threads for a single row.
const FEWEST_DIVIDED: usize = 1 << 15;
/// Fewest products of a sum for which `gemm` rounds as in longer sums: shorter ones are computed without fused operations.
const FEWEST_SUMMED: usize = 3;
/// Products that `gemm` sums at a time if its output has at most [`FEW`] rows and columns. In larger outputs the number depends on their size.
const SUMMED_OF_FEW: usize = 512;
/// See [`SUMMED_OF_FEW`].
const FEW: usize = 64;

/// A matrix within a slice.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    /// Starts at the first element.
    pub data: &'a [f32],
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// Distance between neighbouring rows.
    pub row_stride: usize,
    /// Distance between neighbouring columns.
    pub col_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of `cols` elements, `row_stride` apart.
    pub fn new(data: &'a [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        Self { data, rows, cols, row_stride, col_stride: 1 }
    }

    /// Rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// Neighbouring rows.
    pub fn rows(self, rows: Range<usize>) -> Self {
        Self { data: &self.data[rows.start * self.row_stride..], rows: rows.len(), ..self }
    }

    /// Neighbouring columns.
    pub fn cols(self, cols: Range<usize>) -> Self {
        Self { data: &self.data[cols.start * self.col_stride..], cols: cols.len(), ..self }
    }

    /// Number of elements of the slice that the matrix spans.
    fn reach(&self) -> usize {
        match self.rows == 0 || self.cols == 0 {
            true => 0,
            false => (self.rows - 1) * self.row_stride + (self.cols - 1) * self.col_stride + 1,
        }
    }
}

/// Whether a product replaces its output or is added to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// It is replaced.
    Set,
    /// The product is added to it.
    Add,
}

/// The threads that compute a product.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Threads {
    /// The calling thread: the caller divides the work.
    This,
    /// All threads of rayon.
    All,
}

/// `out = a · b` or `out += a · b`, where the rows of `out` are `out_stride` apart.
///
/// If `b` is stored by rows, a row of the output has the same bits whatever rows are beside it (one at least), and up to a length of
/// [`SUMMED_OF_FEW`] with any number of zeros at the end of `a`'s rows.
pub(super) fn multiply(
    out: &mut [f32],
    out_stride: usize,
    output: Output,
    a: Matrix,
    b: Matrix,
    threads: Threads,
) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    assert_eq!(k, b.rows, "inner sizes differ");
    if m == 0 || n == 0 {
        return;
    }
    if k < FEWEST_SUMMED {
        return multiply_with_zeros(out, out_stride, output, a, b, threads);
    }
    if n <= FEW && k > SUMMED_OF_FEW {
        let (first, rest) = (0..SUMMED_OF_FEW, SUMMED_OF_FEW..k);
        multiply(out, out_stride, output, a.cols(first.clone()), b.rows(first), threads);
        return multiply(out, out_stride, Output::Add, a.cols(rest.clone()), b.rows(rest), threads);
    }
    if m == 1 && threads == Threads::All && k * n >= FEWEST_DIVIDED {
        return multiply_row(&mut out[..n], output, a, b);
    }
    assert!(n <= out_stride || m == 1, "rows of the output overlap");
    assert!((m - 1) * out_stride + n <= out.len(), "the output is too small");
    assert!(a.reach() <= a.data.len() && b.reach() <= b.data.len(), "a matrix is larger than its slice");
    let parallelism = match threads {
        Threads::This => gemm::Parallelism::None,
        Threads::All => gemm::Parallelism::Rayon(0),
    };
    // SAFETY: the assertions above keep every element that is read or written within its slice, and `out` is
    // borrowed mutably, so that nothing else aliases it.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            out_stride as isize,
            output == Output::Add,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// [`multiply`] for sums of fewer than [`FEWEST_SUMMED`] products.
fn multiply_with_zeros(
    out: &mut [f32],
    out_stride: usize,
    output: Output,
    a: Matrix,
    b: Matrix,
    threads: Threads,
) {
    let (m, n) = (a.rows, b.cols);
    scratch::with((m + n) * FEWEST_SUMMED, |memory| {
        memory.fill(0.0);
        let (of_a, of_b) = memory.split_at_mut(m * FEWEST_SUMMED);
        for inner in 0..a.cols {
            for row in 0..m {
                of_a[row * FEWEST_SUMMED + inner] = a.data[row * a.row_stride + inner * a.col_stride];
            }
            for col in 0..n {
                of_b[inner * n + col] = b.data[inner * b.row_stride + col * b.col_stride];
            }
        }
        let a = Matrix::new(of_a, m, FEWEST_SUMMED, FEWEST_SUMMED);
        multiply(out, out_stride, output, a, Matrix::new(of_b, FEWEST_SUMMED, n, n), threads);
    });
}

/// [`multiply`] for one row, where `gemm` uses one thread: each thread computes neighbouring columns.
fn multiply_row(out: &mut [f32], output: Output, row: Matrix, b: Matrix) {
    let columns = out.len().div_ceil(rayon::current_num_threads());
    out.par_chunks_mut(columns).enumerate().for_each(|(chunk, out)| {
        let cols = out.len();
        let part = Matrix { data: &b.data[chunk * columns * b.col_stride..], cols, ..b };
        if (row.col_stride, part.col_stride) != (1, 1) {
            return multiply(out, cols, output, row, part, Threads::This);
        }
        if output == Output::Set {
            out.fill(0.0);
        }
        add_row_product(out, &row.data[..row.cols], part.data, part.row_stride);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|index| (index as f32 * 0.7).sin()).collect()
    }

    /// The product with a matrix stored by rows, for rows of `inner` numbers and zeros behind them.
    fn product(rows: &[f32], inner: usize, zeros: usize, width: usize, output: Output) -> Vec<f32> {
        let length = inner + zeros;
        let padded: Vec<f32> =
            rows.chunks_exact(inner).flat_map(|row| [row, &vec![0.0; zeros][..]].concat()).collect();
        let data = numbers(length * width);
        let count = rows.len() / inner;
        let mut out = vec![0.5; count * width];
        let rows = Matrix::new(&padded, count, length, length);
        multiply(&mut out, width, output, rows, Matrix::new(&data, length, width, width), Threads::This);
        out
    }

    #[test]
    fn a_row_has_the_same_bits_whatever_rows_are_beside_it() {
        for inner in [1, 2, 3, 16, 127, 128, 513, 600, 1025, 1536] {
            for width in [2, 16, 64, 65, 200] {
                let rows = numbers(200 * inner);
                for output in [Output::Set, Output::Add] {
                    let all = product(&rows, inner, 0, width, output);
                    for count in [2, 3, 5, 8, 13, 17, 32, 64, 65, 128] {
                        let few = product(&rows[..count * inner], inner, 0, width, output);
                        assert!(few == all[..count * width], "{count} rows of {inner}, {width} columns");
                    }
                }
            }
        }
    }

    #[test]
    fn a_sum_has_the_same_bits_with_zeros_at_its_end() {
        for inner in (1..=128).filter(|inner| inner % 9 < 4) {
            for (width, count) in [(16, 1), (16, 2), (64, 1), (64, 2), (64, 64), (128, 13)] {
                let rows = numbers(count * inner);
                let alone = product(&rows, inner, 0, width, Output::Set);
                for zeros in [1, 2, 63, 128] {
                    let found = product(&rows, inner, zeros, width, Output::Set);
                    assert!(found == alone, "{count} rows of {inner} and {zeros} zeros, {width} columns");
                }
            }
        }
    }

    #[test]
    fn a_row_divided_among_threads_is_the_whole_product() {
        let (inner, width) = (200, 331);
        let (row, data) = (numbers(inner), numbers(inner * width));
        let by_rows = Matrix::new(&data, inner, width, width);
        let by_columns = Matrix::new(&data, width, inner, inner).transposed();
        for matrix in [by_rows, by_columns] {
            for output in [Output::Set, Output::Add] {
                let product = |threads| {
                    let mut out = numbers(width);
                    multiply(&mut out, width, output, Matrix::new(&row, 1, inner, inner), matrix, threads);
                    out
                };
                let (whole, divided) = (product(Threads::This), product(Threads::All));
                for (a, b) in whole.iter().zip(divided) {
                    assert!((a - b).abs() < 1e-4, "{a} and {b}");
                }
            }
        }
    }
}
