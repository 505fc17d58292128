//! [`Cache`]: keys and values of earlier tokens.

use burn::tensor::{Device, Tensor};
use dph_core::index_tensor;

/// Tokens by which the capacity grows.
const ROOM: usize = 128;

/// Keys and values of all blocks, without registers.
///
/// Keys are stored *before* norm and rotation: the reversed rotation and dynamic scaling depend on the current
/// length, and positions change when the first tokens are dropped. Only generation, which drops nothing, stores keys
/// normalised and rotated if the model allows it.
#[derive(Debug, Clone, Default)]
pub struct Cache {
    /// Number of padding tokens at the start of each row, which are masked; empty for none.
    pub padding: Vec<usize>,
    layers: Vec<CachedLayer>,
    keys_are_rotated: bool,
}

/// Keys and values of one block, both `[rows, n_kv_heads, room, head_dim]`. There is room for more tokens, so that
/// adding one does not copy the others.
#[derive(Debug, Clone)]
pub(crate) struct CachedLayer {
    pub keys: Tensor<4>,
    pub values: Tensor<4>,
    /// Number of tokens.
    pub len: usize,
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

    /// Number of cached tokens per row.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.len)
    }

    /// Whether the cache is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys of a block, `[rows, n_kv_heads, tokens, head_dim]`, before norm and rotation; `None` if the cache is
    /// empty or there is no such block.
    pub fn keys(&self, block: usize) -> Option<Tensor<4>> {
        self.layers.get(block).map(|layer| layer.keys.clone().narrow(2, 0, layer.len))
    }

    /// Values of a block, like [`keys`](Self::keys).
    pub fn values(&self, block: usize) -> Option<Tensor<4>> {
        self.layers.get(block).map(|layer| layer.values.clone().narrow(2, 0, layer.len))
    }

    /// Drops all but the last `tokens` tokens.
    pub fn keep_last(&mut self, tokens: usize) {
        let len = self.len();
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
        let Some(first) = self.layers.first() else { return };
        let indices = index_tensor(rows.iter().copied(), &first.keys.device());
        for layer in &mut self.layers {
            let select = |cached: &Tensor<4>| cached.clone().select(0, indices.clone());
            *layer = CachedLayer { keys: select(&layer.keys), values: select(&layer.values), ..*layer };
        }
        if !self.padding.is_empty() {
            self.padding = rows.iter().map(|&row| self.padding[row]).collect();
            // Columns that are padding in all rows are dropped.
            let common = self.padding.iter().copied().min().unwrap_or(0);
            self.keep_last(self.len() - common);
        }
    }

    /// Adds keys and values, `[rows, n_kv_heads, seq, head_dim]`, to a block and returns all of them. Blocks must be
    /// added in order.
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
            false => CachedLayer { keys: room(seq + ROOM), values: room(seq + ROOM), len: 0 },
        };
        let layer = match layer.keys.dims()[2] < layer.len + seq {
            true => {
                let grown = |cached: Tensor<4>| {
                    Tensor::cat(vec![cached.narrow(2, 0, layer.len), room(seq + ROOM)], 2)
                };
                CachedLayer { keys: grown(layer.keys), values: grown(layer.values), len: layer.len }
            }
            false => layer,
        };
        self.layers.insert(block, change(layer));
        &self.layers[block]
    }
}
