//! Self-attention with rotary positions, grouped heads, query/key norm and registers.

mod attention_layout;
mod cache;
mod query_key_norm;
mod rotary;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Tensor, activation, module};

use attention_layout::DeviceLayout;
pub use attention_layout::{AttentionLayout, HostLayout, Span};
pub use cache::Cache;
#[cfg(feature = "flex")]
pub(crate) use cache::CachedLayer;
pub use query_key_norm::{QueryKeyNorm, QueryKeyNormConfig};
pub use rotary::Rotation;
use rotary::rotate;

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
    /// The outputs for states, both `[rows · seq, d_model]`, by operations that every backend supports and that can
    /// be differentiated.
    ///
    /// With a cache (and the index of this block) the tokens also attend to the cached tokens and are added to the
    /// cache.
    pub fn forward(
        &self,
        states: Tensor<2>,
        layout: &AttentionLayout,
        cache: Option<(&mut Cache, usize)>,
    ) -> Tensor<2> {
        let (rows, seq) = (layout.host.rows, layout.host.seq);
        let on_device = layout.on(&states.device(), self.registers.as_ref().map_or(0, Registers::count));
        let (query, mut key, mut value) = self.heads(linear(&self.qkv, states), on_device, cache);
        if let Some(registers) = &self.registers {
            key = Tensor::cat(vec![spread(&registers.keys, on_device), key], 2);
            value = Tensor::cat(vec![spread(&registers.values, on_device), value], 2);
        }

        let context = self.attend(query, key, value, on_device.bias.as_ref());
        let context = context.swap_dims(1, 2).reshape([rows * seq, self.n_heads * self.head_dim]);
        linear(&self.output, context)
    }

    /// Queries of the new tokens, and keys and values of all tokens: `[rows, heads, tokens, head_dim]`, normalised
    /// and rotated. `qkv` is `[rows · seq, qkv width]`.
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

    /// Weighted values for queries `[rows, n_heads, seq, head_dim]`. Without a bias attention is causal, and a single
    /// query attends to all keys.
    fn attend(
        &self,
        query: Tensor<4>,
        key: Tensor<4>,
        value: Tensor<4>,
        bias: Option<&Tensor<4>>,
    ) -> Tensor<4> {
        let [rows, _, seq, head_dim] = query.dims();
        let keys = key.dims()[2];
        let (kv_heads, group) = (self.n_kv_heads, self.n_heads / self.n_kv_heads);
        if bias.is_none() && seq > 1 {
            let repeat =
                |heads: Tensor<4>| match group {
                    1 => heads,
                    _ => heads
                        .unsqueeze_dim::<5>(2)
                        .expand([rows, kv_heads, group, keys, head_dim])
                        .reshape([rows, self.n_heads, keys, head_dim]),
                };
            let options = AttentionModuleOptions { is_causal: true, ..Default::default() };
            return module::attention(query, repeat(key), repeat(value), None, None, options);
        }
        // The attention operation is not used, since backends disagree on the meaning of its mask. The queries of a
        // group are stacked, so that keys and values are not copied.
        let query = query.reshape([rows, kv_heads, group * seq, head_dim]) / (head_dim as f64).sqrt();
        let scores = query.matmul(key.swap_dims(2, 3)).reshape([rows, self.n_heads, seq, keys]);
        let scores = match bias {
            Some(bias) => scores + bias.clone(),
            None => scores,
        };
        let weights = activation::softmax(scores, 3);
        let context = weights.reshape([rows, kv_heads, group * seq, keys]).matmul(value);
        context.reshape([rows, self.n_heads, seq, head_dim])
    }
}

impl Registers {
    /// Number of registers.
    pub fn count(&self) -> usize {
        self.keys.dims()[1]
    }
}

/// Registers for every row, `[rows, n_kv_heads, registers, head_dim]`.
fn spread(registers: &Param<Tensor<3>>, on_device: &DeviceLayout) -> Tensor<4> {
    registers.val().unsqueeze::<4>() * on_device.temperatures.clone()
}
