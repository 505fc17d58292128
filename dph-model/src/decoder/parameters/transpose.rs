//! Transposition of matrices on the host.

use rayon::prelude::*;

/// Edge of the squares that are transposed at a time. Two squares fit into the first-level CPU cache.
const SQUARE: usize = 32;

/// `[rows, columns]` to `[columns, rows]`.
pub(crate) fn transpose(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = vec![0.0; matrix.len()];
    if out.is_empty() {
        return out;
    }
    out.par_chunks_mut(SQUARE * rows).enumerate().for_each(|(strip, out)| {
        for first_row in (0..rows).step_by(SQUARE) {
            let height = SQUARE.min(rows - first_row);
            for (offset, out) in out.chunks_exact_mut(rows).enumerate() {
                let column = strip * SQUARE + offset;
                for (row, out) in out[first_row..first_row + height].iter_mut().enumerate() {
                    *out = matrix[(first_row + row) * columns + column];
                }
            }
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        for (rows, columns) in [(1, 1), (3, 5), (32, 64), (70, 33)] {
            let matrix: Vec<f32> = (0..rows * columns).map(|x| x as f32).collect();
            let transposed = transpose(&matrix, rows, columns);
            for row in 0..rows {
                for column in 0..columns {
                    assert_eq!(transposed[column * rows + row], matrix[row * columns + column]);
                }
            }
            assert_eq!(transpose(&transposed, columns, rows), matrix);
        }
    }
}
