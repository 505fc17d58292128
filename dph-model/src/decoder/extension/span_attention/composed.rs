//! The attention of a stack by operations that every backend has, with few scores in memory at a time.

use std::ops::Range;

use burn::backend::tensor::{BoolTensor, FloatTensor};
use burn::backend::{Backend, TensorMetadata, get_or_init_device_settings};
use burn::tensor::Shape;

use super::stack::{Attended, StackGradients, StackInputs};
use crate::decoder::MASKED;
use crate::decoder::extension::parts::{add_part, chunks, concatenate, part};

/// Most scores in memory at a time: 16 MiB.
const MOST_SCORES: usize = 1 << 22;

/// Fewest queries of a chunk, so that matrix products stay efficient.
const FEWEST_QUERIES: usize = 64;

/// See [`StackAttention::attend`](super::stack_attention::StackAttention::attend).
pub(super) fn attend<B: Backend>(inputs: StackInputs<B>) -> Attended<B> {
    attend_in_chunks(inputs, MOST_SCORES)
}

/// See [`StackAttention::differentiate`](super::stack_attention::StackAttention::differentiate).
pub(super) fn differentiate<B: Backend>(
    inputs: StackInputs<B>,
    attended: Attended<B>,
    gradient: FloatTensor<B>,
) -> StackGradients<B> {
    differentiate_in_chunks(inputs, attended, gradient, MOST_SCORES)
}

fn attend_in_chunks<B: Backend>(inputs: StackInputs<B>, most_scores: usize) -> Attended<B> {
    let size = Size::new(&inputs, most_scores);
    let (mut outputs, mut log_sums) = (Vec::new(), Vec::new());
    for members in size.member_chunks() {
        let stack = select_members(&inputs, members);
        let (mut of_members, mut sums) = (Vec::new(), Vec::new());
        for queries in size.query_chunks() {
            let chunk = Chunk::new(&stack, queries, &size);
            let scores = chunk.scores();
            let peak = B::float_max_dim(scores.clone(), 3);
            let weights = B::float_exp(B::float_sub(scores, peak.clone()));
            let total = B::float_sum_dim(weights.clone(), 3);
            of_members.push(B::float_div(chunk.multiply(weights, chunk.value.clone()), total.clone()));
            sums.push(B::float_add(B::float_log(total), peak));
        }
        outputs.push(concatenate::<B>(of_members, 2));
        log_sums.push(concatenate::<B>(sums, 2));
    }
    Attended { output: concatenate::<B>(outputs, 0), log_sum: concatenate::<B>(log_sums, 0) }
}

fn differentiate_in_chunks<B: Backend>(
    inputs: StackInputs<B>,
    attended: Attended<B>,
    gradient: FloatTensor<B>,
    most_scores: usize,
) -> StackGradients<B> {
    let size = Size::new(&inputs, most_scores);
    let (mut queries, mut keys, mut values) = (Vec::new(), Vec::new(), Vec::new());
    // The derivative of a weight is the weight times (the gradient of the weight - this sum over all weights).
    let shift = B::float_sum_dim(B::float_mul(gradient.clone(), attended.output), 3);
    for members in size.member_chunks() {
        let stack = select_members(&inputs, members.clone());
        let of_members = |tensor: &FloatTensor<B>| part::<B>(tensor.clone(), 0, members.clone());
        let (gradient, shift, log_sum) =
            (of_members(&gradient), of_members(&shift), of_members(&attended.log_sum));
        let mut of_queries = Vec::new();
        let mut of_keys: Option<(FloatTensor<B>, FloatTensor<B>)> = None;
        // From the last chunk on, which attends to all keys.
        for range in size.query_chunks().rev() {
            let of_chunk = |tensor: &FloatTensor<B>| part::<B>(tensor.clone(), 2, range.clone());
            let chunk = Chunk::new(&stack, range.clone(), &size);
            let weights = B::float_exp(B::float_sub(chunk.scores(), of_chunk(&log_sum)));
            let gradient = of_chunk(&gradient);
            let of_weights = chunk.multiply(gradient.clone(), transposed::<B>(chunk.value.clone()));
            let of_scores = B::float_mul(weights.clone(), B::float_sub(of_weights, of_chunk(&shift)));
            of_queries.push(chunk.multiply(of_scores.clone(), chunk.key.clone()));
            let of_key = chunk.multiply_transposed(of_scores, chunk.query.clone());
            let of_value = chunk.multiply_transposed(weights, gradient);
            of_keys = Some(match of_keys {
                None => (of_key, of_value),
                Some((keys, values)) => {
                    let seen = 0..of_key.shape()[2];
                    (add_part::<B>(keys, 2, seen.clone(), of_key), add_part::<B>(values, 2, seen, of_value))
                }
            });
        }
        of_queries.reverse();
        queries.push(B::float_mul_scalar(concatenate::<B>(of_queries, 2), size.scale.into()));
        let (key, value) = of_keys.expect("a stack has queries");
        keys.push(key);
        values.push(value);
    }
    StackGradients {
        query: concatenate::<B>(queries, 0),
        key: concatenate::<B>(keys, 0),
        value: concatenate::<B>(values, 0),
    }
}

/// The dimensions of a stack.
struct Size {
    count: usize,
    n_heads: usize,
    n_kv_heads: usize,
    queries: usize,
    keys: usize,
    causal: bool,
    scale: f64,
    /// Most scores in memory at a time.
    most_scores: usize,
}

impl Size {
    fn new<B: Backend>(inputs: &StackInputs<B>, most_scores: usize) -> Self {
        let [count, n_heads, queries, head_dim] = inputs.query.shape().dims();
        let [_, n_kv_heads, keys, _] = inputs.key.shape().dims();
        let scale = 1.0 / (head_dim as f64).sqrt();
        Self { count, n_heads, n_kv_heads, queries, keys, causal: inputs.causal, scale, most_scores }
    }

    /// Ranges of sequences that are computed together.
    fn member_chunks(&self) -> impl Iterator<Item = Range<usize>> {
        chunks(self.count, self.most_scores / (self.n_heads * self.queries * self.keys))
    }

    /// Ranges of queries that are computed together.
    fn query_chunks(&self) -> impl DoubleEndedIterator<Item = Range<usize>> {
        chunks(self.queries, (self.most_scores / (self.n_heads * self.keys)).max(FEWEST_QUERIES))
    }
}

/// Neighbouring queries of some sequences, and the keys that they can see.
struct Chunk<'a, B: Backend> {
    size: &'a Size,
    /// `[members, n_heads, queries, head_dim]`, times the scale.
    query: FloatTensor<B>,
    /// `[members, n_kv_heads, keys, head_dim]`.
    key: FloatTensor<B>,
    /// `[members, n_kv_heads, keys, head_dim]`.
    value: FloatTensor<B>,
    key_bias: Option<FloatTensor<B>>,
    /// The masked scores, `[members, n_heads, queries, keys]`, without batch dimensions.
    hidden: Option<BoolTensor<B>>,
}

impl<'a, B: Backend> Chunk<'a, B> {
    fn new(stack: &StackInputs<B>, queries: Range<usize>, size: &'a Size) -> Self {
        let keys = if size.causal { queries.end } else { size.keys };
        let query = part::<B>(stack.query.clone(), 2, queries.clone());
        Self {
            query: B::float_mul_scalar(query, size.scale.into()),
            key: part::<B>(stack.key.clone(), 2, 0..keys),
            value: part::<B>(stack.value.clone(), 2, 0..keys),
            key_bias: stack.key_bias.clone().map(|bias| part::<B>(bias, 3, 0..keys)),
            hidden: size.causal.then(|| later_keys::<B>(&stack.query.device(), queries, keys)),
            size,
        }
    }

    /// `[members, n_heads, queries, keys]`.
    fn scores(&self) -> FloatTensor<B> {
        let mut scores = self.multiply(self.query.clone(), transposed::<B>(self.key.clone()));
        if let Some(bias) = &self.key_bias {
            scores = B::float_add(scores, bias.clone());
        }
        match &self.hidden {
            Some(hidden) => {
                let hidden = B::bool_expand(hidden.clone(), scores.shape());
                B::float_mask_fill(scores, hidden, MASKED.into())
            }
            None => scores,
        }
    }

    /// The product of each head, `[members, n_heads, queries, n]`, with the matrix of its group, `[members, n_kv_heads, n,
    /// m]`. The heads of a group are stacked, so that the matrix is not copied.
    fn multiply(&self, heads: FloatTensor<B>, matrix: FloatTensor<B>) -> FloatTensor<B> {
        let [members, n_heads, queries, _] = heads.shape().dims();
        let [_, _, _, width] = matrix.shape().dims();
        let product = B::float_matmul(self.stack_heads(heads), matrix);
        B::float_reshape(product, Shape::new([members, n_heads, queries, width]))
    }

    /// The sum over queries and over the heads of a group of `leftᵀ · right`: `[members, n_heads, queries, keys]` and
    /// `[members, n_heads, queries, head_dim]` to `[members, n_kv_heads, keys, head_dim]`.
    fn multiply_transposed(&self, left: FloatTensor<B>, right: FloatTensor<B>) -> FloatTensor<B> {
        B::float_matmul(transposed::<B>(self.stack_heads(left)), self.stack_heads(right))
    }

    /// `[members, n_heads, queries, n]` to `[members, n_kv_heads, heads of a group · queries, n]`.
    fn stack_heads(&self, heads: FloatTensor<B>) -> FloatTensor<B> {
        let [members, n_heads, queries, width] = heads.shape().dims();
        if n_heads == self.size.n_kv_heads {
            return heads;
        }
        let group = n_heads / self.size.n_kv_heads;
        B::float_reshape(heads, Shape::new([members, self.size.n_kv_heads, group * queries, width]))
    }
}

fn select_members<B: Backend>(inputs: &StackInputs<B>, members: Range<usize>) -> StackInputs<B> {
    let of_members = |tensor: &FloatTensor<B>| part::<B>(tensor.clone(), 0, members.clone());
    StackInputs {
        query: of_members(&inputs.query),
        key: of_members(&inputs.key),
        value: of_members(&inputs.value),
        key_bias: inputs.key_bias.as_ref().map(of_members),
        causal: inputs.causal,
    }
}

/// Whether a key is behind a query, `[1, 1, queries, keys]`.
fn later_keys<B: Backend>(device: &B::Device, queries: Range<usize>, keys: usize) -> BoolTensor<B> {
    let settings = get_or_init_device_settings::<B>(device);
    let count = queries.len();
    let numbers =
        |range: Range<usize>| B::int_arange(range.start as i64..range.end as i64, device, settings.int_dtype);
    let rows = B::int_reshape(numbers(queries), Shape::new([1, 1, count, 1]));
    let columns = B::int_reshape(numbers(0..keys), Shape::new([1, 1, 1, keys]));
    let shape = Shape::new([1, 1, count, keys]);
    B::int_lower(B::int_expand(rows, shape.clone()), B::int_expand(columns, shape), settings.bool_dtype)
}

fn transposed<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    B::float_swap_dims(tensor, 2, 3)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::{Tensor, TensorData};

    use super::*;

    fn numbers(shape: [usize; 4], phase: f32) -> FloatTensor<Flex> {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|index| (index as f32 * 0.7 + phase).sin()).collect();
        <Flex as burn::backend::ops::FloatTensorOps<Flex>>::float_from_data(
            TensorData::new(values, shape),
            &Default::default(),
        )
    }

    fn values(tensor: FloatTensor<Flex>) -> Vec<f32> {
        Tensor::<4>::from_primitive::<Flex>(tensor).into_data().try_to_vec().unwrap()
    }

    #[test]
    fn chunks_change_no_result() {
        for causal in [true, false] {
            let keys = if causal { 150 } else { 90 };
            let inputs = StackInputs::<Flex> {
                query: numbers([3, 4, 150, 8], 0.0),
                key: numbers([3, 2, keys, 8], 1.0),
                value: numbers([3, 2, keys, 8], 2.0),
                key_bias: None,
                causal,
            };
            let gradient = numbers([3, 4, 150, 8], 3.0);
            let compute = |most_scores| {
                let attended = attend_in_chunks(inputs.clone(), most_scores);
                let gradients =
                    differentiate_in_chunks(inputs.clone(), attended.clone(), gradient.clone(), most_scores);
                [attended.output, attended.log_sum, gradients.query, gradients.key, gradients.value]
                    .map(values)
            };
            // All at once; sequence by sequence; 64 queries at a time.
            let whole = compute(MOST_SCORES);
            for most_scores in [4 * 150 * keys, 1] {
                for (whole, chunked) in whole.iter().zip(compute(most_scores)) {
                    for (a, b) in whole.iter().zip(chunked) {
                        assert!((a - b).abs() <= 1e-5 * a.abs().max(1.0), "{a} and {b}");
                    }
                }
            }
        }
    }
}
