//! [`log_sum`]: the normaliser of log-probabilities, without all logits in memory.

use std::ops::Range;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::tensor::Tensor;

use super::implement_on_backends;
use super::parts::{chunks, concatenate, part};
#[cfg(feature = "tch")]
use crate::decoder::kernels;

/// The logarithm of the sum of the exponentials of the logits `states · matrixᵀ` of each state. Logits are computed in chunks of
/// at most `elements`. The backward pass computes them again, so its memory does not grow with states times vocabulary.
///
/// # Shapes
///
/// - states: `[states, d_model]`
/// - matrix: `[vocab, d_model]`
/// - output: `[states]`
pub(crate) fn log_sum(states: Tensor<2>, matrix: Tensor<2>, elements: usize) -> Tensor<1> {
    let sums = <Dispatch as LogSum>::log_sum(states.into_dispatch(), matrix.into_dispatch(), elements);
    Tensor::<2>::from_dispatch(sums).squeeze_dim(1)
}

/// [`log_sum`] on the tensors of a backend, `[states, 1]`.
#[backend_extension(
    Cube: cfg(any(feature = "wgpu", feature = "vulkan", feature = "cuda")),
    Flex: cfg(feature = "flex"),
    LibTorch: cfg(feature = "tch"),
    Autodiff
)]
pub(crate) trait LogSum: Backend {
    fn log_sum(states: FloatTensor<Self>, matrix: FloatTensor<Self>, elements: usize) -> FloatTensor<Self>;
}

implement_on_backends!(LogSum {
    fn log_sum(states: FloatTensor<Self>, matrix: FloatTensor<Self>, elements: usize) -> FloatTensor<Self> {
        Logits::<Self> { states, matrix, elements }.log_sum()
    }
});

/// A backend with a kernel for products, or without one.
trait Product: Backend {
    /// `left · matrix`, or `None` if no kernel applies.
    fn product(left: &FloatTensor<Self>, matrix: &FloatTensor<Self>) -> Option<FloatTensor<Self>> {
        let _ = (left, matrix);
        None
    }
}

#[cfg(feature = "flex")]
impl Product for burn::backend::Flex {}

#[cfg(any(feature = "wgpu", feature = "vulkan", feature = "cuda"))]
impl Product for burn::backend::Cube {}

#[cfg(feature = "tch")]
impl Product for burn::backend::LibTorch {
    fn product(left: &FloatTensor<Self>, matrix: &FloatTensor<Self>) -> Option<FloatTensor<Self>> {
        kernels::libtorch_product(left, matrix)
    }
}

impl<B: LogSum + Product, C: CheckpointStrategy> LogSum for Autodiff<B, C> {
    fn log_sum(states: FloatTensor<Self>, matrix: FloatTensor<Self>, elements: usize) -> FloatTensor<Self> {
        let (states, of_states) = states.into_parts();
        let (matrix, of_matrix) = matrix.into_parts();
        let logits = Logits::<B> { states, matrix, elements };
        let output = logits.log_sum();
        match LogSumBackward.prepare::<C>([of_states, of_matrix]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((logits, output.clone()), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

/// The backward pass of [`log_sum`].
#[derive(Debug)]
struct LogSumBackward;

impl<B: Product> Backward<B, 2> for LogSumBackward {
    type State = (Logits<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let (logits, log_sum) = ops.state;
        let [of_states, of_matrix] = ops.parents;
        let computed = logits.differentiate(log_sum, gradient, of_matrix.is_some());
        if let Some(parent) = of_states {
            gradients.register::<B>(parent.id, computed.states);
        }
        if let (Some(parent), Some(gradient)) = (of_matrix, computed.matrix) {
            gradients.register::<B>(parent.id, gradient);
        }
    }
}

/// The logits `states · matrixᵀ`, which are computed in chunks of states.
#[derive(Debug, Clone)]
struct Logits<B: Backend> {
    states: FloatTensor<B>,
    matrix: FloatTensor<B>,
    elements: usize,
}

struct LogitGradients<B: Backend> {
    states: FloatTensor<B>,
    matrix: Option<FloatTensor<B>>,
}

impl<B: Product> Logits<B> {
    /// `[states, 1]`.
    fn log_sum(&self) -> FloatTensor<B> {
        let of_chunk = |range: Range<usize>| {
            let logits = self.chunk(range);
            let peak = B::float_max_dim(logits.clone(), 1);
            let weights = B::float_exp(B::float_sub(logits, peak.clone()));
            B::float_add(B::float_log(B::float_sum_dim(weights, 1)), peak)
        };
        concatenate::<B>(self.chunks().map(of_chunk).collect(), 0)
    }

    /// The derivative of a log-sum-exp by a logit is the probability of its token.
    fn differentiate(
        &self,
        log_sum: FloatTensor<B>,
        gradient: FloatTensor<B>,
        of_matrix: bool,
    ) -> LogitGradients<B> {
        let mut states = Vec::new();
        let mut matrix: Option<FloatTensor<B>> = None;
        for range in self.chunks() {
            let log_sum = part::<B>(log_sum.clone(), 0, range.clone());
            let probabilities = B::float_exp(B::float_sub(self.chunk(range.clone()), log_sum));
            let of_logits = B::float_mul(probabilities, part::<B>(gradient.clone(), 0, range.clone()));
            if of_matrix {
                let transposed = B::float_swap_dims(of_logits.clone(), 0, 1);
                let part = B::float_matmul(transposed, part::<B>(self.states.clone(), 0, range));
                matrix = Some(match matrix {
                    Some(sum) => B::float_add(sum, part),
                    None => part,
                });
            }
            states.push(product::<B>(of_logits, self.matrix.clone()));
        }
        LogitGradients { states: concatenate::<B>(states, 0), matrix }
    }

    /// The logits of some states, `[range, vocab]`.
    fn chunk(&self, range: Range<usize>) -> FloatTensor<B> {
        let transposed = B::float_swap_dims(self.matrix.clone(), 0, 1);
        product::<B>(part::<B>(self.states.clone(), 0, range), transposed)
    }

    fn chunks(&self) -> impl Iterator<Item = Range<usize>> + use<B> {
        let ([count, _], [vocab, _]) = (self.states.shape().dims(), self.matrix.shape().dims());
        chunks(count, self.elements / vocab)
    }
}

/// `left · matrix`, computed in the type of the matrix, in the type of `left`.
fn product<B: Product>(left: FloatTensor<B>, matrix: FloatTensor<B>) -> FloatTensor<B> {
    let (of_left, of_matrix) = (left.dtype(), matrix.dtype());
    if of_left == of_matrix {
        return B::product(&left, &matrix).unwrap_or_else(|| B::float_matmul(left, matrix));
    }
    let product = B::float_matmul(B::float_cast(left, of_matrix.into()), matrix);
    B::float_cast(product, of_left.into())
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use dph_core::testing;

    use super::*;

    fn numbers([rows, columns]: [usize; 2], phase: f32, device: &Device) -> Tensor<2> {
        let values: Vec<f32> = (0..rows * columns).map(|index| (index as f32 * 0.7 + phase).sin()).collect();
        Tensor::from_data(TensorData::new(values, [rows, columns]), device)
    }

    fn dense(states: Tensor<2>, matrix: Tensor<2>) -> Tensor<1> {
        let logits = states.matmul(matrix.transpose());
        let peak = logits.clone().detach().max_dim(1);
        ((logits - peak.clone()).exp().sum_dim(1).log() + peak).squeeze_dim(1)
    }

    /// Value, gradient of the states and gradient of the matrix.
    fn compute(log_sum: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<1>) -> [Vec<f32>; 3] {
        let device = testing::device().autodiff();
        let states = (numbers([5, 8], 0.0, &device) * 5.0).detach().require_grad();
        let matrix = numbers([11, 8], 1.0, &device).detach().require_grad();
        let sums = log_sum(states.clone(), matrix.clone());
        let weights = numbers([5, 1], 2.0, &device).squeeze_dim(1);
        let mut gradients = (sums.clone() * weights).sum().backward();
        let mut gradient = |tensor: &Tensor<2>| {
            tensor.grad_remove(&mut gradients).map(|gradient| gradient.into_data().iter().collect())
        };
        [
            sums.into_data().iter().collect(),
            gradient(&states).unwrap_or_default(),
            gradient(&matrix).unwrap_or_default(),
        ]
    }

    #[test]
    fn kernels_for_log_sums_compute_dense_logits_and_their_gradients() {
        let expected = compute(dense);
        assert_eq!(expected.each_ref().map(Vec::len), [5, 40, 88]);
        // All at once; two states at a time; one.
        for elements in [1000, 22, 1] {
            let found = compute(|states, matrix| log_sum(states, matrix, elements));
            for (expected, found) in expected.iter().zip(&found) {
                assert_eq!(expected.len(), found.len());
                let largest = expected.iter().fold(0f32, |largest, value| largest.max(value.abs()));
                for (a, b) in expected.iter().zip(found) {
                    assert!((a - b).abs() <= 1e-5 * largest, "{elements}: {a} and {b}");
                }
            }
        }
    }
}
