//! Products with few rows on libtorch's CPU.
//!
//! MKL is optimised for large products. For few states, as in generation, `states · matrix` takes up to five times as
//! long as `(matrixᵀ · statesᵀ)ᵀ` with `matrixᵀ` stored by rows. One state, for which it uses a single thread, takes
//! longer than two.

#![allow(
    deprecated,
    reason = "burn deprecates its libtorch backend after the version that this workspace stays with"
)]

use burn::backend::LibTorch;
use burn::tensor::{Device, Tensor};

/// Most states for which the other order is faster.
const FEW: usize = 128;

/// Whether matrices should be stored transposed.
pub(crate) fn wants_transposed(device: &Device) -> bool {
    Tensor::<1>::empty([1], device)
        .try_into_primitive::<LibTorch>()
        .is_ok_and(|it| !it.tensor.device().is_cuda())
}

/// `states · matrix` for few states and a matrix that is stored transposed, otherwise `None`.
pub(crate) fn product(states: &Tensor<2>, matrix: &Tensor<2>) -> Option<Tensor<2>> {
    let rows = states.dims()[0];
    let primitive = (rows <= FEW).then(|| matrix.clone().try_into_primitive::<LibTorch>().ok())??;
    let [inputs, _] = matrix.dims();
    if primitive.tensor.device().is_cuda() || primitive.tensor.stride() != [1, inputs as i64] {
        return None;
    }
    let states = match rows {
        1 => Tensor::cat(vec![states.clone(); 2], 0),
        _ => states.clone(),
    };
    let product = matrix.clone().transpose().matmul(states.transpose()).transpose();
    Some(product.narrow(0, 0, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_for_few_rows_compute_the_plain_product() {
        let device = dph_core::device("libtorch").unwrap();
        assert!(wants_transposed(&device) && !wants_transposed(&device.clone().autodiff()));
        let numbers = |rows: usize, cols: usize| {
            Tensor::<1, burn::tensor::Int>::arange(0..(rows * cols) as i64, &device)
                .float()
                .sin()
                .reshape([rows, cols])
        };
        let matrix = numbers(30, 20).transpose();
        for rows in [1, 2, 3, FEW] {
            let states = numbers(rows, 20);
            let product = product(&states, &matrix).expect("it applies");
            assert_eq!(product.dims(), [rows, 30]);
            let error = (product - states.matmul(matrix.clone())).abs().max().into_scalar::<f32>();
            assert!(error < 1e-5, "{rows} rows: {error}");
        }
        assert!(product(&numbers(FEW + 1, 20), &matrix).is_none(), "many rows");
        assert!(product(&numbers(2, 20), &numbers(20, 30)).is_none(), "a matrix that lies the other way");
    }
}
