//! The implementations of [`SpanAttention`], with a backward pass of its own under automatic differentiation.

use std::sync::Arc;

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::SpanAttention;
use super::merge::{TokenInputs, attend, differentiate};
use super::plan::SpanPlan;
use super::stack::Attended;
use super::stack_attention::StackAttention;
use crate::decoder::extension::implement_on_backends;

implement_on_backends!(SpanAttention {
    fn span_attention(inputs: TokenInputs<Self>, plan: Arc<SpanPlan>) -> FloatTensor<Self> {
        attend(&inputs, &plan).output
    }
});

impl<B: StackAttention + SpanAttention, C: CheckpointStrategy> SpanAttention for Autodiff<B, C> {
    fn span_attention(inputs: TokenInputs<Self>, plan: Arc<SpanPlan>) -> FloatTensor<Self> {
        let (query, of_query) = inputs.query.into_parts();
        let (key, of_key) = inputs.key.into_parts();
        let (value, of_value) = inputs.value.into_parts();
        let factors = inputs.factors.into_primitive();
        let inputs = TokenInputs::<B> { query, key, value, indices: inputs.indices, factors };
        let attended = attend::<B>(&inputs, &plan);
        let output = attended.output.clone();
        match SpanAttentionBackward.prepare::<C>([of_query, of_key, of_value]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(State { inputs, attended, plan }, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

/// The backward pass of span attention.
#[derive(Debug)]
struct SpanAttentionBackward;

/// What the backward pass needs: linear in the tokens.
#[derive(Debug, Clone)]
struct State<B: StackAttention> {
    inputs: TokenInputs<B>,
    attended: Attended<B>,
    plan: Arc<SpanPlan>,
}

impl<B: StackAttention> Backward<B, 3> for SpanAttentionBackward {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let State { inputs, attended, plan } = ops.state;
        let computed = differentiate::<B>(&inputs, &attended, gradient, &plan);
        for (parent, gradient) in ops.parents.into_iter().zip([computed.query, computed.key, computed.value])
        {
            if let Some(parent) = parent {
                gradients.register::<B>(parent.id, gradient);
            }
        }
    }
}
