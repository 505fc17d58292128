//! Self-attention with rotary positions, grouped heads, query/key norm and registers.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Tensor, activation, module};

use super::pass::{DeviceLayout, Pass};
use super::product::linear;
use super::rotary::rotate;
use super::{Cache, QueryKeyNorm};

/// Multi-head self-attention.
#[derive(Module, Debug)]
pub struct Attention {
    /// `[d_model, qkv width]`: queries, keys and values of all heads, in this order.
    pub qkv: Linear,
    /// `[n_heads · head_dim, d_model]`.
    pub output: Linear,
    /// Norm of queries and keys before the rotation.
    pub norm: Option<QueryKeyNorm>,
    /// Keys and values that every query sees.
    pub registers: Option<Registers>,
    /// Number of query heads.
    pub n_heads: usize,
    /// Number of key and value heads.
    pub n_kv_heads: usize,
    /// Size of a head.
    pub head_dim: usize,
}

/// Learnt keys and values without a position.
#[derive(Module, Debug)]
pub struct Registers {
    /// `[n_kv_heads, registers, head_dim]`.
    pub keys: Param<Tensor<3>>,
    /// `[n_kv_heads, registers, head_dim]`.
    pub values: Param<Tensor<3>>,
}

impl Attention {
    /// The outputs for states, both `[rows · seq, d_model]`, with operations that every backend has and
    /// that can be differentiated.
    ///
    /// With a cache (and this block's index in it) the tokens also see all that it holds, and are added to it.
    pub fn forward(
        &self,
        states: Tensor<2>,
        pass: &Pass,
        mut cache: Option<(&mut Cache, usize)>,
    ) -> Tensor<2> {
        let device = states.device();
        let (rows, seq) = (pass.layout.rows, pass.layout.seq);
        let qkv = linear(&self.qkv, states);
        let heads = |first: usize, count: usize| {
            let part = qkv.clone().narrow(1, first * self.head_dim, count * self.head_dim);
            part.reshape([rows, seq, count, self.head_dim]).swap_dims(1, 2)
        };
        let query = heads(0, self.n_heads);
        let mut key = heads(self.n_heads, self.n_kv_heads);
        let mut value = heads(self.n_heads + self.n_kv_heads, self.n_kv_heads);
        if let Some((cache, block)) = &mut cache
            && !cache.is_turned()
        {
            (key, value) = cache.extend(*block, key, value);
        }

        let on_device = pass.on(&device, self.registers.as_ref().map_or(0, Registers::count));
        let (query, key) = match &self.norm {
            Some(norm) => norm.forward(query, key),
            None => (query, key),
        };
        let (query, mut key) = match &on_device.rotation {
            Some((cos, sin)) => {
                let last = |table: &Tensor<4>| table.clone().narrow(2, table.dims()[2] - seq, seq);
                (rotate(query, &last(cos), &last(sin)), rotate(key, cos, sin))
            }
            None => (query, key),
        };
        if let Some((cache, block)) = cache
            && cache.is_turned()
        {
            (key, value) = cache.extend(block, key, value);
        }
        if let Some(registers) = &self.registers {
            key = Tensor::cat(vec![spread(&registers.keys, on_device), key], 2);
            value = Tensor::cat(vec![spread(&registers.values, on_device), value], 2);
        }

        let context = self.attend(query, key, value, on_device.bias.as_ref());
        let context = context.swap_dims(1, 2).reshape([rows * seq, self.n_heads * self.head_dim]);
        linear(&self.output, context)
    }

    /// Weighted values for queries `[rows, n_heads, seq, head_dim]`. Without a bias a query sees the keys up to its own, and
    /// a single one sees all.
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
        // Not the attention operation: backends disagree on the meaning of its mask. The queries of a group are
        // stacked, so that keys and values need no copies.
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
