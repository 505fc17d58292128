//! The product of a single state with a matrix.

use burn::tensor::{Tensor, TensorData};

use super::matrix::{Matrix, Output, Threads, multiply};
use super::slices::{compact, elements, matrix, primitive};

/// `state · matrix`, divided among the threads, which flex does not do for a single state. `None` for several states.
pub(crate) fn product(states: &Tensor<2>, factor: &Tensor<2>) -> Option<Tensor<2>> {
    if states.dims()[0] != 1 {
        return None;
    }
    let device = states.device();
    let (states, factor) = (compact(states.clone())?, primitive(factor.clone())?);
    let factor = matrix(&factor)?;
    let mut out = vec![0.0; factor.cols];
    let state = Matrix::new(elements(&states), 1, factor.rows, factor.rows);
    multiply(&mut out, factor.cols, Output::Set, state, factor, Threads::All);
    Some(Tensor::from_data(TensorData::new(out, [1, factor.cols]), &device))
}
