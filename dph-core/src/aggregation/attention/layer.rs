//! One attention layer.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, activation};

use super::adapted::{AdaptedLinear, AdaptedVector};
use super::{AttentionKind, AttentionPooling};
use crate::parameters::{NamedParam, NamedParams, WeightInit};

/// Multi-head attention: softmax(scores + bias) times the values, each head scaled by its gate.
#[derive(Module, Debug)]
pub(super) struct AttentionLayer {
    scores: Scores,
    value: AdaptedLinear,
    output: AdaptedLinear,
    gate: Option<Linear>,
    heads: usize,
}

/// Where the scores come from.
#[derive(Module, Debug)]
enum Scores {
    /// A query for every token.
    Asked(Asked),
    /// One learned query for all tokens.
    Pooled(Pooled),
    /// A score for every token, without a query.
    Own(AdaptedLinear),
}

#[derive(Module, Debug)]
struct Asked {
    query: AdaptedLinear,
    key: AdaptedLinear,
}

#[derive(Module, Debug)]
struct Pooled {
    question: AdaptedVector,
    key: AdaptedLinear,
}

impl AttentionLayer {
    pub fn new(
        kind: AttentionKind,
        config: &AttentionPooling,
        d_model: usize,
        init: &mut WeightInit,
        device: &Device,
    ) -> Self {
        let heads = config.heads;
        let square =
            |init: &mut WeightInit| AdaptedLinear::new(config, [d_model, d_model], true, init, device);
        let scores = match kind {
            AttentionKind::Pool => Scores::Pooled(Pooled {
                question: AdaptedVector::new(config, d_model, device),
                key: square(init),
            }),
            AttentionKind::PoolLinear => {
                Scores::Own(AdaptedLinear::new(config, [d_model, heads], false, init, device))
            }
            _ => Scores::Asked(Asked { query: square(init), key: square(init) }),
        };
        Self {
            scores,
            value: square(init),
            output: square(init),
            gate: config.gate.then(|| init.linear(d_model, heads, true, device)),
            heads,
        }
    }

    /// # Shapes
    ///
    /// - states: `[count, len, d_model]`
    /// - bias: `[count, heads, len, len]`
    /// - output: `[count, len, d_model]`
    pub fn forward(&self, states: Tensor<3>, bias: Tensor<4>, repeat: usize) -> Tensor<3> {
        let [count, len, d_model] = states.dims();
        let heads = self.heads;
        let size = d_model / heads;
        let split = |x: Tensor<3>| x.reshape([count, len, heads, size]).swap_dims(1, 2);
        let scale = (size as f64).powf(-0.5);
        let scores: Tensor<4> = match &self.scores {
            Scores::Asked(Asked { query, key }) => {
                let query = split(query.forward(states.clone(), repeat));
                let key = split(key.forward(states.clone(), repeat));
                query.matmul(key.swap_dims(2, 3)) * scale
            }
            Scores::Pooled(Pooled { question, key }) => {
                let question = question.forward(repeat).reshape([1, heads, 1, size]);
                let key = split(key.forward(states.clone(), repeat));
                (key * question).sum_dim(3).swap_dims(2, 3) * scale
            }
            Scores::Own(score) => {
                let scores = score.forward(states.clone(), repeat);
                scores.swap_dims(1, 2).unsqueeze_dim(2)
            }
        };
        let shares = activation::softmax(scores + bias, 3);
        let mut out = shares.matmul(split(self.value.forward(states.clone(), repeat))).swap_dims(1, 2);
        if let Some(gate) = &self.gate {
            let gate: Tensor<4> = activation::sigmoid(gate.forward(states)).unsqueeze_dim(3);
            out = out * gate;
        }
        self.output.forward(out.reshape([count, len, d_model]), repeat)
    }

    pub fn named_params_mut(&mut self, name: &str) -> NamedParams<'_> {
        let name = |part: &str| format!("{name}.{part}");
        let mut params = match &mut self.scores {
            Scores::Asked(Asked { query, key }) => {
                let mut params = query.named_params_mut(&name("query"));
                params.extend(key.named_params_mut(&name("key")));
                params
            }
            Scores::Pooled(Pooled { question, key }) => {
                let mut params = question.named_params_mut(&name("question"));
                params.extend(key.named_params_mut(&name("key")));
                params
            }
            Scores::Own(score) => score.named_params_mut(&name("score")),
        };
        params.extend(self.value.named_params_mut(&name("value")));
        params.extend(self.output.named_params_mut(&name("output")));
        params.extend(self.gate.as_mut().map(|gate| (name("gate"), NamedParam::Linear(gate))));
        params
    }
}
