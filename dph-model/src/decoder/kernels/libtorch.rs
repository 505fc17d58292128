//! Products of states with a matrix on libtorch's CPU.
//!
//! Its matrix product is MKL's, which takes up to five times as long for few states as for the transposed factors, and uses no AVX-512
//! on processors of AMD. Its convolution is oneDNN's, which does: there it takes half as long for many states.

#![allow(
    deprecated,
    reason = "burn deprecates its libtorch backend after the version that this workspace stays with"
)]

use burn::backend::LibTorch;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{Device, Tensor};

/// Fewest states for a convolution. For fewer, the transposed factors are faster.
const FEWEST_CONVOLVED: i64 = 64;

/// Fewest states for a convolution with a matrix of more than [`CACHED`] elements, since the convolution first copies the matrix into its
/// own order.
const FEWEST_CONVOLVED_UNCACHED: i64 = 256;

/// Elements of a matrix that stays in the CPU cache: 16 MiB.
const CACHED: i64 = 1 << 22;

/// Whether matrices should be stored transposed.
pub(crate) fn wants_transposed(device: &Device) -> bool {
    Tensor::<1>::empty([1], device)
        .try_into_primitive::<LibTorch>()
        .is_ok_and(|it| !it.tensor.device().is_cuda())
}

/// `states · matrix` for a matrix that is stored transposed, otherwise `None`.
pub(crate) fn product(states: &Tensor<2>, matrix: &Tensor<2>) -> Option<Tensor<2>> {
    let [states, matrix] =
        [states, matrix].map(|factor| factor.clone().try_into_primitive::<LibTorch>().ok());
    Some(Tensor::from_primitive::<LibTorch>(product_of_primitives(&states?, &matrix?)?))
}

/// [`product`] of tensors of the backend.
pub(crate) fn product_of_primitives(
    states: &FloatTensor<LibTorch>,
    matrix: &FloatTensor<LibTorch>,
) -> Option<FloatTensor<LibTorch>> {
    let (states, matrix) = (&states.tensor, &matrix.tensor);
    let (rows, inputs) = states.size2().ok()?;
    if states.device().is_cuda() || matrix.stride() != [1, inputs] {
        return None;
    }
    let matrix = matrix.tr();
    let outputs = matrix.size()[0];
    let fewest = if inputs * outputs > CACHED { FEWEST_CONVOLVED_UNCACHED } else { FEWEST_CONVOLVED };
    let product = if rows < fewest {
        // A single thread computes one state, which takes longer than two.
        let states = if rows == 1 { tch::Tensor::cat(&[states, states], 0) } else { states.shallow_clone() };
        matrix.matmul(&states.tr()).tr().narrow(0, 0, rows)
    } else {
        // States are the pixels of an image, and their components its channels, which are neighbours in memory.
        let pixels = states.contiguous().view([1, 1, rows, inputs]).permute([0, 3, 1, 2]);
        let filters = matrix.view([outputs, inputs, 1, 1]);
        let image = pixels.conv2d::<tch::Tensor>(&filters, None, [1, 1], [0, 0], [1, 1], 1);
        image.permute([0, 2, 3, 1]).reshape([rows, outputs])
    };
    Some(FloatTensor::<LibTorch>::new(product))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_for_products_compute_the_plain_product() {
        let device = dph_core::device("libtorch").unwrap();
        assert!(wants_transposed(&device) && !wants_transposed(&device.clone().autodiff()));
        let numbers = |rows: usize, cols: usize| {
            Tensor::<1, burn::tensor::Int>::arange(0..(rows * cols) as i64, &device)
                .float()
                .sin()
                .reshape([rows, cols])
        };
        let large = (CACHED as usize / 1024 + 1, 1024);
        for (outputs, inputs) in [(30, 20), large] {
            let matrix = numbers(outputs, inputs).transpose();
            for rows in [1, 2, 3, FEWEST_CONVOLVED as usize, FEWEST_CONVOLVED_UNCACHED as usize] {
                let states = numbers(rows, inputs);
                let product = product(&states, &matrix).expect("it applies");
                assert_eq!(product.dims(), [rows, outputs]);
                let expected = states.matmul(matrix.clone());
                let largest = expected.clone().abs().max().into_scalar::<f32>();
                let error = (product - expected).abs().max().into_scalar::<f32>();
                assert!(error < 1e-5 * largest, "{rows} rows: {error} of {largest}");
            }
        }
        assert!(product(&numbers(2, 20), &numbers(20, 30)).is_none(), "a matrix that lies the other way");
    }
}
