//! Self-attention with rotary positions, grouped heads, query/key norm and registers.

mod attention_layout;
mod cache;
mod cached_layer;
mod host_layout;
mod query_key_norm;
mod rotary;
mod shared_prefix;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Tensor, activation, module};

pub use attention_layout::AttentionLayout;
use attention_layout::{DeviceLayout, Visibility};
pub use cache::Cache;
#[cfg(feature = "flex")]
pub(crate) use cached_layer::CachedLayer;
pub(crate) use host_layout::MASKED;
pub use host_layout::{HostLayout, Span};
pub use query_key_norm::{QueryKeyNorm, QueryKeyNormConfig};
pub use rotary::Rotation;
use rotary::rotate;
#[cfg(feature = "flex")]
pub(crate) use shared_prefix::SharedLayer;
#[cfg(not(feature = "flex"))]
use shared_prefix::SharedLayer;

use crate::decoder::extension::span_attention::{DevicePlan, span_attention};
use crate::decoder::group::{Group, of_each};
use crate::decoder::product::linear;

/// Multi-head self-attention.
#[derive(Module, Debug)]
pub struct Attention {
    /// `[d_model, qkv width]`: queries, keys and values of all heads, in this order.
    pub qkv: Linear,
    /// `[n_heads · head_dim, d_model]`.
    pub output: Linear,
    /// Norm of queries and keys before the rotation.
    pub norm: Option<QueryKeyNorm>,
    /// Keys and values that every query attends to.
    pub registers: Option<Registers>,
    /// Number of query heads.
    pub n_heads: usize,
    /// Number of key and value heads.
    pub n_kv_heads: usize,
    /// Size of a head.
    pub head_dim: usize,
}

/// Learned keys and values without a position.
#[derive(Module, Debug)]
pub struct Registers {
    /// `[n_kv_heads, registers, head_dim]`.
    pub keys: Param<Tensor<3>>,
    /// `[n_kv_heads, registers, head_dim]`.
    pub values: Param<Tensor<3>>,
}

impl Attention {
    /// The outputs for states, both `[tokens of all groups, d_model]`, by operations that every backend supports and that can
    /// be differentiated.
    ///
    /// Tokens of a group with a cache also attend to the cached tokens and are added to the cache, to the block with this index.
    pub fn forward(&self, states: Tensor<2>, groups: &mut [Group<'_>], block: usize) -> Tensor<2> {
        let attend = |qkv: Tensor<2>, group: &mut Group<'_>| self.attend(qkv, group, block);
        linear(&self.output, of_each(linear(&self.qkv, states), groups, attend))
    }

    /// The weighted values of the tokens of a group, `[rows · seq, n_heads · head_dim]`. `qkv` is `[rows · seq, qkv width]`.
    fn attend(&self, qkv: Tensor<2>, group: &mut Group<'_>, block: usize) -> Tensor<2> {
        let (layout, cache) = (group.layout, group.cache.as_deref_mut().map(|cache| (cache, block)));
        let (rows, seq) = (layout.host.rows, layout.host.seq);
        let on_device = layout.on(&qkv.device(), self.registers.as_ref().map_or(0, Registers::count));
        let shared = cache.as_ref().and_then(|(cache, block)| cache.shared(*block));
        let (query, key, value) = self.heads(qkv, on_device, cache);
        let registers = self.registers.as_ref().map(|registers| registers.spread(on_device));
        let context = match (&on_device.visibility, shared) {
            (visibility, Some(shared)) => {
                self.attend_shared(query, [key, value], registers, &shared, visibility.mask())
            }
            (Visibility::Causal, None) => self.attend_causal(query, key, value),
            (Visibility::Spans(plan), None) => self.attend_spans(query, [key, value], registers, plan),
            (Visibility::Mask(mask), None) => {
                let [key, value] = match registers {
                    Some([keys, values]) => {
                        [Tensor::cat(vec![keys, key], 2), Tensor::cat(vec![values, value], 2)]
                    }
                    None => [key, value],
                };
                self.attend_masked(query, key, value, Some(mask))
            }
        };
        context.swap_dims(1, 2).reshape([rows * seq, self.n_heads * self.head_dim])
    }

    /// Queries of the new tokens, and keys and values of all tokens that rows do not share: `[rows, heads, tokens,
    /// head_dim]`, normalised and rotated. `qkv` is `[rows · seq, qkv width]`.
    fn heads(
        &self,
        qkv: Tensor<2>,
        on_device: &DeviceLayout,
        mut cache: Option<(&mut Cache, usize)>,
    ) -> (Tensor<4>, Tensor<4>, Tensor<4>) {
        let rows = on_device.temperatures.dims()[0];
        let seq = qkv.dims()[0] / rows;
        let heads = |first: usize, count: usize| {
            let part = qkv.clone().narrow(1, first * self.head_dim, count * self.head_dim);
            part.reshape([rows, seq, count, self.head_dim]).swap_dims(1, 2)
        };
        let apply_rotation = |heads: Tensor<4>| match &on_device.rotation {
            Some((cos, sin)) => rotate(heads, cos, sin),
            None => heads,
        };
        let mut value = heads(self.n_heads + self.n_kv_heads, self.n_kv_heads);
        let is_raw = cache.as_ref().is_some_and(|(cache, _)| !cache.keys_are_rotated());
        let (query, mut key) = if is_raw || self.norm.is_some() {
            let (query, mut key) = (heads(0, self.n_heads), heads(self.n_heads, self.n_kv_heads));
            if is_raw && let Some((cache, block)) = &mut cache {
                (key, value) = cache.extend(*block, key, value);
            }
            let (query, key) = match &self.norm {
                Some(norm) => norm.forward(query, key),
                None => (query, key),
            };
            (apply_rotation(query), apply_rotation(key))
        } else {
            // Queries and keys are adjacent and are rotated at once.
            let both = apply_rotation(heads(0, self.n_heads + self.n_kv_heads));
            (both.clone().narrow(1, 0, self.n_heads), both.narrow(1, self.n_heads, self.n_kv_heads))
        };
        if !is_raw && let Some((cache, block)) = cache {
            (key, value) = cache.extend(block, key, value);
        }
        (query, key, value)
    }

    /// Weighted values for queries `[rows, n_heads, seq, head_dim]` that attend to all earlier tokens, by the attention
    /// operation of the backend. A single query attends to all keys.
    fn attend_causal(&self, query: Tensor<4>, key: Tensor<4>, value: Tensor<4>) -> Tensor<4> {
        if query.dims()[2] == 1 {
            return self.attend_masked(query, key, value, None);
        }
        let [rows, kv_heads, keys, head_dim] = key.dims();
        let group = self.n_heads / kv_heads;
        let repeat = |heads: Tensor<4>| match group {
            1 => heads,
            _ => heads.unsqueeze_dim::<5>(2).expand([rows, kv_heads, group, keys, head_dim]).reshape([
                rows,
                self.n_heads,
                keys,
                head_dim,
            ]),
        };
        let options = AttentionModuleOptions { is_causal: true, ..Default::default() };
        module::attention(query, repeat(key), repeat(value), None, None, options)
    }

    /// Weighted values for queries `[rows, n_heads, seq, head_dim]`, with a mask that is added to the scores.
    ///
    /// The attention operation is not used, since backends disagree on the meaning of its mask.
    fn attend_masked(
        &self,
        query: Tensor<4>,
        key: Tensor<4>,
        value: Tensor<4>,
        mask: Option<&Tensor<4>>,
    ) -> Tensor<4> {
        let [rows, _, seq, head_dim] = query.dims();
        let keys = key.dims()[2];
        let (kv_heads, group) = (self.n_kv_heads, self.n_heads / self.n_kv_heads);
        // The queries of a group are stacked, so that keys and values are not copied.
        let query = query.reshape([rows, kv_heads, group * seq, head_dim]) / (head_dim as f64).sqrt();
        let scores = query.matmul(key.swap_dims(2, 3)).reshape([rows, self.n_heads, seq, keys]);
        let scores = match mask {
            Some(mask) => scores + mask.clone(),
            None => scores,
        };
        let weights = activation::softmax(scores, 3);
        let context = weights.reshape([rows, kv_heads, group * seq, keys]).matmul(value);
        context.reshape([rows, self.n_heads, seq, head_dim])
    }

    /// Weighted values for queries `[rows, n_heads, seq, head_dim]` that attend to the registers, to the prompts that rows
    /// share and to the other tokens of their rows, in the order of the mask.
    fn attend_shared(
        &self,
        query: Tensor<4>,
        [keys, values]: [Tensor<4>; 2],
        registers: Option<[Tensor<4>; 2]>,
        shared: &SharedLayer,
        mask: Option<&Tensor<4>>,
    ) -> Tensor<4> {
        let [rows, _, seq, head_dim] = query.dims();
        let (kv_heads, group) = (self.n_kv_heads, self.n_heads / self.n_kv_heads);
        let query = query.reshape([rows, kv_heads, group * seq, head_dim]) / (head_dim as f64).sqrt();
        let (fixed_keys, fixed_values) = registers.map(|[keys, values]| (keys, values)).unzip();
        let of_fixed = fixed_keys.map(|keys| query.clone().matmul(keys.swap_dims(2, 3)));
        let of_shared = shared.scores(query.clone());
        let of_own = query.matmul(keys.swap_dims(2, 3));
        let fixed = of_fixed.as_ref().map_or(0, |scores| scores.dims()[3]);
        let own = of_own.dims()[3];
        let count = fixed + shared.len + own;
        let scores = Tensor::cat(of_fixed.into_iter().chain([of_shared, of_own]).collect(), 3);
        let scores = scores.reshape([rows, self.n_heads, seq, count]);
        let scores = match mask {
            Some(mask) => scores + mask.clone(),
            None => scores,
        };
        let weights = activation::softmax(scores, 3).reshape([rows, kv_heads, group * seq, count]);
        let part = |first: usize, count: usize| weights.clone().narrow(3, first, count);
        let context = shared.weighted_values(part(fixed, shared.len));
        let context = context + part(fixed + shared.len, own).matmul(values);
        let context = match fixed_values {
            Some(values) => context + part(0, fixed).matmul(values),
            None => context,
        };
        context.reshape([rows, self.n_heads, seq, head_dim])
    }

    /// Weighted values for queries `[rows, n_heads, seq, head_dim]` that attend to their spans and contexts, and to the
    /// registers, which are keys and values.
    fn attend_spans(
        &self,
        query: Tensor<4>,
        keys_and_values: [Tensor<4>; 2],
        registers: Option<[Tensor<4>; 2]>,
        plan: &DevicePlan,
    ) -> Tensor<4> {
        let [rows, n_heads, seq, head_dim] = query.dims();
        let tokens = |heads: Tensor<4>| {
            let [rows, count, tokens, head_dim] = heads.dims();
            heads.swap_dims(1, 2).reshape([rows * tokens, count, head_dim])
        };
        let [keys, values] = keys_and_values.map(tokens);
        let [keys, values] = match registers.map(|registers| registers.map(tokens)) {
            Some([of_keys, of_values]) => {
                [Tensor::cat(vec![keys, of_keys], 0), Tensor::cat(vec![values, of_values], 0)]
            }
            None => [keys, values],
        };
        let attended = span_attention(tokens(query), keys, values, plan);
        attended.reshape([rows, seq, n_heads, head_dim]).swap_dims(1, 2)
    }
}

impl Registers {
    /// Number of registers.
    pub fn count(&self) -> usize {
        self.keys.dims()[1]
    }

    /// Keys and values for every row, `[rows, n_kv_heads, registers, head_dim]`.
    fn spread(&self, on_device: &DeviceLayout) -> [Tensor<4>; 2] {
        [&self.keys, &self.values]
            .map(|registers| registers.val().unsqueeze::<4>() * on_device.temperatures.clone())
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use dph_core::testing;

    use super::*;
    use crate::decoder::extension::span_attention::SpanPlan;

    fn span(start: usize, end: usize, context: usize) -> Span {
        Span::new(start, end, context)
    }

    fn layout(seq: usize, causal: bool, spans: &[&[Span]]) -> HostLayout {
        let rows = spans.len();
        HostLayout {
            rows,
            seq,
            prefix: 0,
            padding: vec![0; rows],
            spans: spans.iter().map(|spans| spans.to_vec()).collect(),
            causal,
            positions: vec![0; rows * seq],
            token_types: Vec::new(),
            rotation: Rotation::none(rows * seq, rows),
        }
    }

    fn attention(n_heads: usize, n_kv_heads: usize, device: &Device) -> Attention {
        let linear = || burn::nn::LinearConfig::new(1, 1).init(device);
        Attention {
            qkv: linear(),
            output: linear(),
            norm: None,
            registers: None,
            n_heads,
            n_kv_heads,
            head_dim: 12,
        }
    }

    /// Queries, keys, values, and keys and values of registers.
    fn inputs(
        attention: &Attention,
        layout: &HostLayout,
        registers: usize,
        device: &Device,
    ) -> [Tensor<4>; 5] {
        let (heads, kv_heads, seq) = (attention.n_heads, attention.n_kv_heads, layout.seq);
        let shapes =
            [(heads, seq), (kv_heads, seq), (kv_heads, seq), (kv_heads, registers), (kv_heads, registers)];
        let mut phase = 0.0;
        shapes.map(|(heads, tokens)| {
            phase += 1.0;
            numbers([layout.rows, heads, tokens.max(1), attention.head_dim], phase, device)
        })
    }

    /// The components of a head are no neighbours in memory, as after a product with a transposed matrix.
    fn numbers([rows, heads, tokens, size]: [usize; 4], phase: f32, device: &Device) -> Tensor<4> {
        let values = (0..rows * heads * tokens * size).map(|index| (index as f32 * 0.37 + phase).sin() * 2.0);
        let data = TensorData::new(values.collect(), [rows, heads, size, tokens]);
        Tensor::from_data(data, device).swap_dims(2, 3)
    }

    /// The weighted values of the tokens of all spans, 0 for padding.
    fn attend(
        attention: &Attention,
        layout: &HostLayout,
        inputs: [Tensor<4>; 5],
        registers: usize,
        dense: bool,
    ) -> Tensor<4> {
        let [query, key, value, of_keys, of_values] = inputs;
        let device = query.device();
        let output = if dense {
            let mask = Tensor::from_data(layout.mask(registers), &device);
            let [key, value] = match registers {
                0 => [key, value],
                _ => [Tensor::cat(vec![of_keys, key], 2), Tensor::cat(vec![of_values, value], 2)],
            };
            attention.attend_masked(query, key, value, Some(&mask))
        } else {
            let plan = DevicePlan::new(SpanPlan::new(layout, registers), &device);
            attention.attend_spans(
                query,
                [key, value],
                (registers > 0).then_some([of_keys, of_values]),
                &plan,
            )
        };
        // The results of padding are unspecified.
        let is_token = |row: usize, column: usize| {
            layout.spans[row].iter().any(|span| (span.start..span.end).contains(&column))
        };
        let tokens: Vec<f32> = (0..layout.rows)
            .flat_map(|row| (0..layout.seq).map(move |column| f32::from(u8::from(is_token(row, column)))))
            .collect();
        output * Tensor::from_data(TensorData::new(tokens, [layout.rows, 1, layout.seq, 1]), &device)
    }

    /// The weighted values without and with automatic differentiation, and the gradients of all inputs.
    fn compute(attention: &Attention, layout: &HostLayout, registers: usize, dense: bool) -> Vec<Vec<f32>> {
        let device = testing::device();
        let plain =
            attend(attention, layout, inputs(attention, layout, registers, &device), registers, dense);
        let device = device.autodiff();
        let inputs = inputs(attention, layout, registers, &device).map(|input| input.detach().require_grad());
        let output = attend(attention, layout, inputs.clone(), registers, dense);
        let mut gradients = (output.clone() * numbers(output.dims(), 9.0, &device)).sum().backward();
        let used = if registers == 0 { 3 } else { 5 };
        let of_inputs = inputs[..used].iter().map(|input| input.grad_remove(&mut gradients).unwrap());
        let results = [plain, output].into_iter().chain(of_inputs);
        results.map(|tensor| tensor.into_data().try_to_vec().unwrap()).collect()
    }

    /// The name says `kernels` so that the gate runs it on every backend.
    #[test]
    fn kernels_for_spans_compute_dense_attention_and_its_gradients() {
        let packed: &[&[Span]] = &[
            &[span(0, 9, 0), span(9, 14, 9), span(14, 18, 9), span(18, 19, 9)],
            &[span(0, 4, 0), span(4, 9, 4), span(9, 10, 4)],
            &[span(0, 7, 0)],
        ];
        let long: &[&[Span]] = &[&[span(0, 94, 0), span(94, 96, 94), span(96, 98, 94)]];
        let conversations: &[&[Span]] = &[&[span(0, 6, 0), span(6, 11, 0)], &[span(0, 3, 0)]];
        let padded: &[&[Span]] = &[&[span(0, 12, 0)], &[span(0, 7, 0)], &[]];
        let padded_in_front: &[&[Span]] = &[&[span(0, 12, 0)], &[span(5, 12, 0)]];
        let with_rest = |start, end, rest| Span { rest, ..span(start, end, 4) };
        let prefixes: &[&[Span]] = &[
            &[
                span(0, 4, 0),
                span(4, 9, 4),
                with_rest(9, 12, (4, 9)),
                with_rest(12, 14, (4, 9)),
                span(14, 15, 4),
                with_rest(15, 20, (14, 15)),
            ],
            &[span(0, 3, 0), span(3, 9, 3)],
        ];
        for (spans, seq, causal, registers, kv_heads) in [
            (packed, 20, true, 0, 2),
            (prefixes, 20, true, 0, 2),
            (prefixes, 22, true, 3, 4),
            (packed, 20, true, 3, 4),
            (long, 98, true, 0, 4),
            (long, 98, true, 0, 2),
            (conversations, 11, true, 0, 1),
            (padded, 12, true, 0, 2),
            (padded, 12, false, 0, 2),
            (padded_in_front, 12, true, 2, 2),
        ] {
            let layout = layout(seq, causal, spans);
            let attention = attention(4, kv_heads, &testing::device());
            let dense = compute(&attention, &layout, registers, true);
            let by_spans = compute(&attention, &layout, registers, false);
            assert_eq!(dense.len(), by_spans.len());
            for (index, (dense, by_spans)) in dense.iter().zip(&by_spans).enumerate() {
                assert!(dense.iter().any(|&value| value != 0.0));
                let largest = dense.iter().fold(0f32, |largest, value| largest.max(value.abs()));
                let errors = dense.iter().zip(by_spans).map(|(a, b)| (a - b).abs());
                let error = errors.fold(0f32, f32::max);
                assert!(error <= 1e-5 * largest, "{spans:?}, {registers} registers, result {index}: {error}");
            }
        }
    }
}
