//! Attention by the stacks of a plan, forwards and backwards.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, ExtensionType, TensorMetadata};
use burn::tensor::{IndexingUpdateOp, Shape, Slice};

use super::plan::{Indices, SpanPlan, Stack};
use super::stack::{Attended, StackGradients, StackInputs};
use super::stack_attention::StackAttention;
use crate::decoder::MASKED;
use crate::decoder::extension::parts::{add_part, concatenate, part};

/// A difference of log-sum-exps from which on one part counts for nothing in f32. Beyond it `exp` may overflow.
const MOST: f32 = 80.0;

/// Queries, keys and values of all tokens, `[tokens, heads, head_dim]`, and the tensors of a plan.
#[derive(Debug, Clone, ExtensionType)]
pub(crate) struct TokenInputs<B: Backend> {
    pub query: FloatTensor<B>,
    pub key: FloatTensor<B>,
    pub value: FloatTensor<B>,
    pub indices: IntTensor<B>,
    pub factors: FloatTensor<B>,
}

/// Weighted values of all tokens and their log-sum-exp, 0 for padding.
pub(super) fn attend<B: StackAttention>(inputs: &TokenInputs<B>, plan: &SpanPlan) -> Attended<B> {
    let attend = |stacks: &[Stack], places| {
        let (mut outputs, mut log_sums) = (Vec::new(), Vec::new());
        for stack in stacks {
            let attended = B::attend(inputs.stack(stack));
            outputs.push(tokens::<B>(attended.output));
            log_sums.push(tokens::<B>(attended.log_sum));
        }
        Attended {
            output: inputs.place(outputs, places, 0.0),
            log_sum: inputs.place(log_sums, places, MASKED),
        }
    };
    let own = attend(&plan.own, plan.own_places);
    if plan.context.is_empty() {
        return own;
    }
    let context = attend(&plan.context, plan.context_places);
    // Softmax over both: each part counts as much as the sum of its exponentials.
    let difference = B::float_sub(context.log_sum, own.log_sum.clone());
    let share = B::sigmoid(B::float_clamp(difference.clone(), (-MOST).into(), MOST.into()));
    let change = B::float_mul(B::float_sub(context.output, own.output.clone()), share);
    Attended {
        output: B::float_add(own.output, change),
        log_sum: B::float_sub(own.log_sum, B::log_sigmoid(B::float_neg(difference))),
    }
}

/// The gradients of queries, keys and values, shaped like these. They are 0 for padding.
pub(super) fn differentiate<B: StackAttention>(
    inputs: &TokenInputs<B>,
    attended: &Attended<B>,
    gradient: FloatTensor<B>,
    plan: &SpanPlan,
) -> StackGradients<B> {
    let differentiate = |stack: &Stack| {
        let rows = |tensor: &FloatTensor<B>| {
            let rows = inputs.take(tensor.clone(), stack.query_tokens, stack.count * stack.queries);
            heads::<B>(rows, stack.count)
        };
        let gradient = match stack.query_factors {
            // Fillings have no gradient.
            Some(start) => {
                let shape = Shape::new([stack.count, 1, stack.queries, 1]);
                B::float_mul(rows(&gradient), inputs.factors(start, shape))
            }
            None => rows(&gradient),
        };
        let attended = Attended { output: rows(&attended.output), log_sum: rows(&attended.log_sum) };
        let gradients = B::differentiate(inputs.stack(stack), attended, gradient);
        StackGradients::<B> {
            query: tokens::<B>(gradients.query),
            key: tokens::<B>(gradients.key),
            value: tokens::<B>(gradients.value),
        }
    };
    let (mut queries, mut keys, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for stack in &plan.own {
        let gradients = differentiate(stack);
        queries.push(gradients.query);
        keys.push(gradients.key);
        values.push(gradients.value);
    }
    let mut query = inputs.place(queries, plan.own_places, 0.0);
    let mut key = pad::<B>(inputs.place(keys, plan.own_places, 0.0), &inputs.key);
    let mut value = pad::<B>(inputs.place(values, plan.own_places, 0.0), &inputs.value);
    if !plan.context.is_empty() {
        let mut queries = Vec::new();
        for stack in &plan.context {
            let gradients = differentiate(stack);
            queries.push(gradients.query);
            key = inputs.add(key, stack, gradients.key);
            value = inputs.add(value, stack, gradients.value);
        }
        query = B::float_add(query, inputs.place(queries, plan.context_places, 0.0));
    }
    StackGradients { query, key, value }
}

impl<B: Backend> TokenInputs<B> {
    fn stack(&self, stack: &Stack) -> StackInputs<B> {
        let take = |tensor: &FloatTensor<B>, tokens, length: usize| {
            heads::<B>(self.take(tensor.clone(), tokens, stack.count * length), stack.count)
        };
        let shape = Shape::new([stack.count, 1, 1, stack.keys]);
        StackInputs {
            query: take(&self.query, stack.query_tokens, stack.queries),
            key: take(&self.key, stack.key_tokens, stack.keys),
            value: take(&self.value, stack.key_tokens, stack.keys),
            key_bias: stack.key_bias.map(|start| self.factors(start, shape)),
            causal: stack.causal,
        }
    }

    /// Rows of `tensor`.
    fn take(&self, tensor: FloatTensor<B>, rows: Indices, count: usize) -> FloatTensor<B> {
        match rows {
            Indices::Run(start) => part::<B>(tensor, 0, start..start + count),
            Indices::Listed(start) => B::float_select(tensor, 0, self.listed(start, count)),
        }
    }

    fn listed(&self, start: usize, count: usize) -> IntTensor<B> {
        B::int_slice(self.indices.clone(), &[Slice::from(start..start + count)])
    }

    fn factors(&self, start: usize, shape: Shape) -> FloatTensor<B> {
        let factors = part::<B>(self.factors.clone(), 0, start..start + shape.num_elements());
        B::float_reshape(factors, shape)
    }

    /// The results of the stacks, `[rows, heads, size]`, in the order of the tokens; `other` where a token has none.
    fn place(&self, mut results: Vec<FloatTensor<B>>, places: Indices, other: f32) -> FloatTensor<B> {
        if let (Indices::Listed(_), Some(first)) = (places, results.first()) {
            let [_, heads, size] = first.shape().dims();
            results.push(full::<B>([1, heads, size], other, first));
        }
        self.take(concatenate::<B>(results, 0), places, self.query.shape()[0])
    }

    /// Adds the gradients of the keys or values of a stack to those of all tokens.
    fn add(&self, all: FloatTensor<B>, stack: &Stack, rows: FloatTensor<B>) -> FloatTensor<B> {
        let count = stack.count * stack.keys;
        match stack.key_tokens {
            Indices::Run(start) => add_part::<B>(all, 0, start..start + count, rows),
            Indices::Listed(start) => {
                B::float_select_assign(all, 0, self.listed(start, count), rows, IndexingUpdateOp::Add)
            }
        }
    }
}

/// `[count · length, heads, size]` to `[count, heads, length, size]`.
fn heads<B: Backend>(rows: FloatTensor<B>, count: usize) -> FloatTensor<B> {
    let [rows_of_all, heads, size] = rows.shape().dims();
    let rows = B::float_reshape(rows, Shape::new([count, rows_of_all / count, heads, size]));
    B::float_swap_dims(rows, 1, 2)
}

/// `[count, heads, length, size]` to `[count · length, heads, size]`.
fn tokens<B: Backend>(heads: FloatTensor<B>) -> FloatTensor<B> {
    let [count, n_heads, length, size] = heads.shape().dims();
    B::float_reshape(B::float_swap_dims(heads, 1, 2), Shape::new([count * length, n_heads, size]))
}

/// `rows` with further rows of zeros, as many rows as `like`.
fn pad<B: Backend>(rows: FloatTensor<B>, like: &FloatTensor<B>) -> FloatTensor<B> {
    let (count, all) = (rows.shape()[0], like.shape()[0]);
    match all - count {
        0 => rows,
        missing => {
            let [_, heads, size] = rows.shape().dims();
            let zeros = full::<B>([missing, heads, size], 0.0, &rows);
            B::float_cat(vec![rows, zeros], 0)
        }
    }
}

fn full<B: Backend>(shape: [usize; 3], value: f32, like: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_full(Shape::new(shape), value.into(), &like.device(), like.dtype().into())
}
