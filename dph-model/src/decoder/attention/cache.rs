//! [`Cache`]: keys and values of earlier tokens.

use burn::tensor::{Device, Tensor};
use dph_core::index_tensor;

use super::cached_layer::CachedLayer;
use super::shared_prefix::{SharedLayer, SharedPrefix};

/// Fewest and most tokens by which the capacity grows.
const ROOM: std::ops::RangeInclusive<usize> = 16..=128;

/// Keys and values of all blocks, without registers.
///
/// Keys are stored *before* norm and rotation: the reversed rotation and dynamic scaling depend on the current
/// length, and positions change when the first tokens are dropped. Only generation, which drops nothing, stores keys
/// normalised and rotated if the model allows it.
///
/// Several rows can continue the same tokens, see [`fork`](Self::fork). These are then stored once.
#[derive(Debug, Clone, Default)]
pub struct Cache {
    /// Number of padding tokens at the start of each row, which are masked; empty for none.
    pub padding: Vec<usize>,
    /// The tokens before those of `layers` if rows share them.
    shared: Option<SharedPrefix>,
    layers: Vec<CachedLayer>,
    keys_are_rotated: bool,
}

impl Cache {
    /// An empty cache for rows of different lengths with padding at their start.
    pub fn with_padding(padding: Vec<usize>) -> Self {
        Self { padding, ..Self::default() }
    }

    /// An empty cache for keys that are normalised and rotated when they are added. [`keep_last`](Self::keep_last)
    /// must then drop only padding.
    pub(crate) fn with_rotated_keys(padding: Vec<usize>) -> Self {
        Self { keys_are_rotated: true, ..Self::with_padding(padding) }
    }

    /// Whether keys are normalised and rotated when they are added.
    pub(crate) fn keys_are_rotated(&self) -> bool {
        self.keys_are_rotated
    }

    /// Number of cached tokens per row, padding included.
    pub fn len(&self) -> usize {
        self.shared.as_ref().map_or(0, SharedPrefix::len) + self.layers.first().map_or(0, |layer| layer.len)
    }

    /// Number of tokens of the longest row, without padding.
    pub(crate) fn longest(&self) -> usize {
        self.len() - self.padding.iter().copied().min().unwrap_or(0)
    }

    /// Whether the cache is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys of a block, `[rows, n_kv_heads, tokens, head_dim]`, before norm and rotation; `None` if the cache is
    /// empty or there is no such block.
    pub fn keys(&self, block: usize) -> Option<Tensor<4>> {
        self.all(block, |layer| &layer.keys)
    }

    /// Values of a block, like [`keys`](Self::keys).
    pub fn values(&self, block: usize) -> Option<Tensor<4>> {
        self.all(block, |layer| &layer.values)
    }

    fn all(&self, block: usize, part: fn(&CachedLayer) -> &Tensor<4>) -> Option<Tensor<4>> {
        let own = self.layers.get(block).map(|layer| part(layer).clone().narrow(2, 0, layer.len));
        let shared = self.shared.as_ref().and_then(|shared| shared.rows(block, part));
        match (shared, own) {
            (Some(shared), Some(own)) => Some(Tensor::cat(vec![shared, own], 2)),
            (shared, own) => shared.or(own),
        }
    }

    /// A cache whose rows continue these rows, which must be in ascending order and may repeat. The cached tokens are
    /// stored once for all rows that continue them. Only keys before norm and rotation are copied, since they are
    /// rotated anew for every row.
    pub fn fork(&self, rows: &[usize]) -> Self {
        let mut fork = self.clone();
        if self.keys_are_rotated && self.shared.is_none() && !self.layers.is_empty() {
            fork.shared = Some(SharedPrefix::new(std::mem::take(&mut fork.layers), rows.to_vec()));
            fork.select_padding(rows);
        } else {
            fork.keep_rows(rows);
        }
        fork
    }

    /// The tokens of a block that rows share.
    pub(crate) fn shared(&self, block: usize) -> Option<SharedLayer> {
        self.shared.as_ref().and_then(|shared| shared.layer(block))
    }

    /// Drops the last `tokens` tokens of every row, at most those that were added since the last [`fork`](Self::fork).
    pub fn forget_last(&mut self, tokens: usize) {
        for layer in &mut self.layers {
            layer.len = layer.len.saturating_sub(tokens);
        }
    }

    /// The first `tokens` tokens of a single row. Memory is shared until tokens are added.
    pub(crate) fn first(&self, tokens: usize) -> Self {
        let first = |cached: &Tensor<4>| cached.clone().narrow(2, 0, tokens);
        let layer = |layer: &CachedLayer| CachedLayer {
            keys: first(&layer.keys),
            values: first(&layer.values),
            len: tokens,
        };
        Self { layers: self.layers.iter().map(layer).collect(), ..self.clone() }
    }

    /// Memory of the keys and values that are not shared, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let bytes = |cached: &Tensor<4>| cached.dims().iter().product::<usize>() * size_of::<f32>();
        self.layers.iter().map(|layer| bytes(&layer.keys) + bytes(&layer.values)).sum()
    }

    /// Drops all but the last `tokens` tokens.
    pub fn keep_last(&mut self, tokens: usize) {
        let len = self.len();
        if tokens < len {
            self.unshare();
        }
        if tokens == 0 {
            self.layers.clear();
        } else if tokens < len {
            self.padding.iter_mut().for_each(|padding| *padding = padding.saturating_sub(len - tokens));
            for layer in &mut self.layers {
                let last = |cached: &Tensor<4>| cached.clone().narrow(2, len - tokens, tokens);
                *layer = CachedLayer { keys: last(&layer.keys), values: last(&layer.values), len: tokens };
            }
        }
    }

    /// Keeps only these rows, in this order.
    pub fn keep_rows(&mut self, rows: &[usize]) {
        if let Some(shared) = &mut self.shared {
            shared.keep_rows(rows);
        }
        if let Some(first) = self.layers.first() {
            let indices = index_tensor(rows.iter().copied(), &first.keys.device());
            for layer in &mut self.layers {
                let select = |cached: &Tensor<4>| cached.clone().select(0, indices.clone());
                *layer = CachedLayer { keys: select(&layer.keys), values: select(&layer.values), ..*layer };
            }
        }
        self.select_padding(rows);
        if self.shared.is_none() && !self.padding.is_empty() {
            // Columns that are padding in all rows are dropped.
            let common = self.padding.iter().copied().min().unwrap_or(0);
            self.keep_last(self.len() - common);
        }
    }

    fn select_padding(&mut self, rows: &[usize]) {
        if !self.padding.is_empty() {
            self.padding = rows.iter().map(|&row| self.padding[row]).collect();
        }
    }

    /// Copies what rows share into every row.
    fn unshare(&mut self) {
        let Some(shared) = &self.shared else { return };
        let layers = (0..shared.blocks()).filter_map(|block| {
            let (keys, values) = (self.keys(block)?, self.values(block)?);
            Some(CachedLayer { len: keys.dims()[2], keys, values })
        });
        self.layers = layers.collect();
        self.shared = None;
    }

    /// Adds keys and values, `[rows, n_kv_heads, seq, head_dim]`, to a block and returns all of them that rows do not
    /// share. Blocks must be added in order.
    pub(crate) fn extend(
        &mut self,
        block: usize,
        keys: Tensor<4>,
        values: Tensor<4>,
    ) -> (Tensor<4>, Tensor<4>) {
        let [rows, heads, seq, head_dim] = keys.dims();
        let layer = self.update(block, [rows, heads, seq, head_dim], &keys.device(), |layer| {
            let columns = layer.len..layer.len + seq;
            let ranges = [0..rows, 0..heads, columns, 0..head_dim];
            CachedLayer {
                keys: layer.keys.slice_assign(ranges.clone(), keys),
                values: layer.values.slice_assign(ranges, values),
                len: layer.len + seq,
            }
        });
        let all = |cached: &Tensor<4>| cached.clone().narrow(2, 0, layer.len);
        (all(&layer.keys), all(&layer.values))
    }

    /// Changes a block, which is created if it is new and grown to hold new tokens of the given shape, `[rows,
    /// n_kv_heads, seq, head_dim]`. Blocks must be added in order.
    ///
    /// `change` owns the layer, since only a tensor with a single owner can be changed in place.
    pub(crate) fn update(
        &mut self,
        block: usize,
        [rows, heads, seq, head_dim]: [usize; 4],
        device: &Device,
        change: impl FnOnce(CachedLayer) -> CachedLayer,
    ) -> &CachedLayer {
        let room = |tokens: usize| Tensor::zeros([rows, heads, tokens, head_dim], device);
        let layer = match block < self.layers.len() {
            true => self.layers.remove(block),
            false => {
                let tokens = seq + spare(seq);
                CachedLayer { keys: room(tokens), values: room(tokens), len: 0 }
            }
        };
        let layer = match layer.keys.dims()[2] < layer.len + seq {
            true => {
                let tokens = seq + spare(layer.len);
                let grown =
                    |cached: Tensor<4>| Tensor::cat(vec![cached.narrow(2, 0, layer.len), room(tokens)], 2);
                CachedLayer { keys: grown(layer.keys), values: grown(layer.values), len: layer.len }
            }
            false => layer,
        };
        self.layers.insert(block, change(layer));
        &self.layers[block]
    }
}

/// Tokens for which there is room beside `len` tokens.
fn spare(len: usize) -> usize {
    (len / 2).clamp(*ROOM.start(), *ROOM.end())
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;
    use dph_core::{Batch, CandidateSet, Layer, TargetTokens, testing};

    use super::*;
    use crate::Backbone;

    fn floats(states: Tensor<3>) -> Vec<f32> {
        states.into_data().iter::<f32>().collect()
    }

    /// The name says `kernels` so that the gate runs it on every backend.
    #[test]
    fn kernels_for_rows_that_share_prompts_compute_separate_sequences() {
        let llama = r#"{"model_type": "llama", "vocab_size": 40, "hidden_size": 16, "intermediate_size": 24,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.3,
            "max_position_embeddings": 64}"#;
        let registers = r#"{"model_type": "lswt", "vocab_size": 40, "d_vocab": 12, "d_model": 16, "d_ffn": 24, "n_heads": 2,
            "n_layers": 2, "n_registers": 2, "rope_reversed": false, "init_std": 0.3, "rope_positions": 64}"#;
        for config in [llama, registers] {
            let model = Backbone::init(config, 3, &testing::device()).unwrap();
            for (prompts, owners) in [
                (vec![vec![1, 2, 3, 4, 5], vec![6, 7]], vec![0, 0, 0, 1]),
                (vec![vec![1, 2, 3], vec![6, 7, 8]], vec![0, 0, 1, 1]),
                (vec![vec![1, 2, 3], vec![6, 7, 8]], vec![1, 1]),
            ] {
                let longest = prompts.iter().map(Vec::len).max().unwrap();
                let padding: Vec<usize> = prompts.iter().map(|prompt| longest - prompt.len()).collect();
                let padded: Vec<i32> = prompts
                    .iter()
                    .zip(&padding)
                    .flat_map(|(prompt, &padding)| std::iter::repeat_n(0, padding).chain(prompt.clone()))
                    .collect();
                let mut cache = Cache::with_rotated_keys(padding);
                model.extend(&padded, prompts.len(), &mut cache, &[]).unwrap();
                let mut fork = cache.fork(&owners);
                assert_eq!((fork.len(), cache.len()), (longest, longest));
                let mut all: Vec<Vec<i32>> = owners.iter().map(|&owner| prompts[owner].clone()).collect();
                // Two tokens at once, of which the last is forgotten, then one.
                for (step, seq) in [2, 1, 1].into_iter().enumerate() {
                    let rows = all.len();
                    let token = |row: usize, column: usize| (9 + 7 * step + 5 * row + 3 * column) as i32 % 40;
                    let tokens: Vec<i32> =
                        (0..rows).flat_map(|row| (0..seq).map(move |column| token(row, column))).collect();
                    let states = model.extend(&tokens, rows, &mut fork, &[Layer::Last]).unwrap().remove(0);
                    for (row, sequence) in all.iter_mut().enumerate() {
                        sequence.extend(&tokens[row * seq..(row + 1) * seq]);
                        let found = floats(states.clone().narrow(0, row, 1));
                        let prompt = sequence.iter().map(|&token| token as u32).collect();
                        let set = CandidateSet { prompt, ..CandidateSet::default() };
                        let batch = Batch::pack([&set], TargetTokens::None, 0);
                        let whole = floats(model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0));
                        let expected = &whole[whole.len() - found.len()..];
                        for (a, b) in found.iter().zip(expected) {
                            assert!((a - b).abs() < 1e-4, "{config}, {owners:?}, step {step}: {a} and {b}");
                        }
                        sequence.truncate(sequence.len() + 1 - seq);
                    }
                    fork.forget_last(seq - 1);
                    if step == 1 && rows > 2 {
                        fork.keep_rows(&[1, rows - 1]);
                        all = vec![all[1].clone(), all[rows - 1].clone()];
                    }
                }
                let shape = fork.keys(0).unwrap().dims();
                assert_eq!((shape[0], shape[2]), (all.len(), longest + 3));
                fork.keep_last(longest);
                assert_eq!(fork.len(), longest);
            }
        }
    }
}
