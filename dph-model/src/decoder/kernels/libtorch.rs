//! Products of states with a matrix on libtorch's CPU, and log-probabilities.
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

/// Fewest logits for [`log_probs`]. The kernel divides its work among threads of its own, for which those of libtorch make way only after
/// some milliseconds.
#[cfg(feature = "flex")]
const FEWEST_LOGITS: usize = 1 << 22;

/// [`kernels::log_probs`](super::log_probs) by the kernel for slices: libtorch passes over the logits several times, which takes longer than
/// computing them.
#[cfg(feature = "flex")]
pub(crate) fn log_probs(
    states: &Tensor<2>,
    matrix: &Tensor<2>,
    targets: &[super::TargetToken],
) -> Option<Vec<f32>> {
    let ([count, _], [rows, cols]) = (states.dims(), matrix.dims());
    if count * rows < FEWEST_LOGITS {
        return None;
    }
    let [states, matrix] = [states, matrix].map(|tensor| on_cpu(tensor.clone()));
    let (states, matrix) = (states?.contiguous(), matrix?);
    let (row_stride, col_stride) = matrix.stride2().ok()?;
    let (row_stride, col_stride) = (row_stride as usize, col_stride as usize);
    let vocabulary = super::flex::Matrix { data: slice(&matrix), rows, cols, row_stride, col_stride };
    Some(super::flex::log_probs_of_slices(slice(&states), vocabulary, targets))
}

/// An f32 tensor in the memory of the processor without a gradient, or `None`.
#[cfg(feature = "flex")]
fn on_cpu(tensor: Tensor<2>) -> Option<tch::Tensor> {
    let tensor = tensor.try_into_primitive::<LibTorch>().ok()?.tensor;
    (tensor.device() == tch::Device::Cpu && tensor.kind() == tch::Kind::Float).then_some(tensor)
}

/// The elements that a tensor spans.
///
/// # Panics
/// The tensor is not in the memory of the processor, is not in f32, or has no elements.
#[cfg(feature = "flex")]
pub(crate) fn slice(tensor: &tch::Tensor) -> &[f32] {
    assert!(tensor.device() == tch::Device::Cpu && tensor.kind() == tch::Kind::Float && tensor.numel() > 0);
    let reach: i64 =
        tensor.size().iter().zip(tensor.stride()).map(|(size, stride)| (size - 1) * stride).sum();
    // SAFETY: by the assertion these are floats, and the tensor spans this many of its storage, which lives as long as the tensor. Strides of
    // libtorch are not negative.
    unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast::<f32>(), reach as usize + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(rows: usize, cols: usize) -> Tensor<2> {
        let device = dph_core::device("libtorch").unwrap();
        let range = 0..(rows * cols) as i64;
        Tensor::<1, burn::tensor::Int>::arange(range, &device).float().sin().reshape([rows, cols])
    }

    #[cfg(feature = "flex")]
    #[test]
    fn kernels_for_log_probabilities_compute_composed_ones() {
        use crate::decoder::kernels::TargetToken;
        let states = numbers(300, 24) * 3;
        for matrix in [numbers(20_000, 24), numbers(24, 20_000).transpose()] {
            let targets: Vec<TargetToken> = (0..300)
                .flat_map(|state| {
                    [7, 19_999].map(|token| TargetToken { state, token: token - state as u32 % 5 })
                })
                .collect();
            let found = log_probs(&states, &matrix, &targets).expect("it applies");
            let logits = states.clone().matmul(matrix.clone().transpose());
            let all = burn::tensor::activation::log_softmax(logits, 1).into_data();
            let all: &[f32] = all.as_slice().expect("floats");
            for (target, found) in targets.iter().zip(found) {
                let expected = all[target.state * 20_000 + target.token as usize];
                assert!((found - expected).abs() < 1e-5 * expected.abs(), "{found} and {expected}");
            }
            assert!(
                log_probs(&states.clone().narrow(0, 0, 5), &matrix, &targets[..10]).is_none(),
                "few states"
            );
            let half = states.clone().cast(burn::tensor::DType::F16);
            assert!(log_probs(&half, &matrix, &targets).is_none(), "half precision");
        }
    }

    #[test]
    fn kernels_for_products_compute_the_plain_product() {
        let device = dph_core::device("libtorch").unwrap();
        assert!(wants_transposed(&device) && !wants_transposed(&device.clone().autodiff()));
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
