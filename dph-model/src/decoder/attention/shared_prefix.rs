//! [`SharedPrefix`]: cached tokens that several rows continue.

use std::ops::Range;

use burn::tensor::Tensor;
use dph_core::select_rows;

use super::cached_layer::CachedLayer;

/// Keys and values of prompts, each stored once for all rows that continue it.
#[derive(Debug, Clone)]
pub(super) struct SharedPrefix {
    /// Of all blocks, for each prompt, normalised and rotated.
    layers: Vec<CachedLayer>,
    /// The prompt of each row, in ascending order.
    prompts: Vec<usize>,
}

/// Keys and values of prompts in one block.
#[derive(Debug, Clone)]
pub(crate) struct SharedLayer {
    /// `[prompts, n_kv_heads, room, head_dim]`.
    pub keys: Tensor<4>,
    /// `[prompts, n_kv_heads, room, head_dim]`.
    pub values: Tensor<4>,
    /// Number of tokens of a prompt, padding included.
    pub len: usize,
    /// The prompt of each run of neighbouring rows, and the rows.
    pub runs: Vec<(usize, Range<usize>)>,
}

impl SharedPrefix {
    pub fn new(layers: Vec<CachedLayer>, prompts: Vec<usize>) -> Self {
        debug_assert!(prompts.is_sorted(), "the rows of a prompt are neighbours");
        let mut prefix = Self { layers, prompts };
        prefix.drop_unused();
        prefix
    }

    /// Number of tokens of a prompt, padding included.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.len)
    }

    pub fn blocks(&self) -> usize {
        self.layers.len()
    }

    pub fn keep_rows(&mut self, rows: &[usize]) {
        self.prompts = rows.iter().map(|&row| self.prompts[row]).collect();
        self.drop_unused();
    }

    /// Keys or values of every row, `[rows, n_kv_heads, tokens, head_dim]`.
    pub fn rows(&self, block: usize, part: fn(&CachedLayer) -> &Tensor<4>) -> Option<Tensor<4>> {
        let layer = self.layers.get(block)?;
        Some(select_rows(part(layer).clone().narrow(2, 0, layer.len), self.prompts.iter().copied()))
    }

    pub fn layer(&self, block: usize) -> Option<SharedLayer> {
        let layer = self.layers.get(block)?;
        Some(SharedLayer {
            keys: layer.keys.clone(),
            values: layer.values.clone(),
            len: layer.len,
            runs: self.runs(),
        })
    }

    fn runs(&self) -> Vec<(usize, Range<usize>)> {
        let mut start = 0;
        let runs = self.prompts.chunk_by(|a, b| a == b).map(|run| {
            let rows = start..start + run.len();
            start = rows.end;
            (run[0], rows)
        });
        runs.collect()
    }

    /// Drops the prompts that no row continues.
    fn drop_unused(&mut self) {
        let mut used = self.prompts.clone();
        used.dedup();
        let count = self.layers.first().map_or(0, |layer| layer.keys.dims()[0]);
        if used.len() == count {
            return;
        }
        for layer in &mut self.layers {
            let select = |cached: &Tensor<4>| select_rows(cached.clone(), used.iter().copied());
            *layer = CachedLayer { keys: select(&layer.keys), values: select(&layer.values), ..*layer };
        }
        for prompt in &mut self.prompts {
            *prompt = used.binary_search(prompt).unwrap_or_else(|_| unreachable!("a row continues it"));
        }
    }
}

impl SharedLayer {
    /// The scores of queries `[rows, n_kv_heads, n, head_dim]` with the keys of their prompts, `[rows, n_kv_heads, n,
    /// tokens]`.
    pub fn scores(&self, queries: Tensor<4>) -> Tensor<4> {
        self.multiply(queries, self.keys.clone().narrow(2, 0, self.len).swap_dims(2, 3))
    }

    /// The values of the prompts with weights `[rows, n_kv_heads, n, tokens]`, `[rows, n_kv_heads, n, head_dim]`.
    pub fn weighted_values(&self, weights: Tensor<4>) -> Tensor<4> {
        self.multiply(weights, self.values.clone().narrow(2, 0, self.len))
    }

    /// `[rows, heads, n, k]` times the matrix of each row's prompt, `[prompts, heads, k, m]`. The rows of a prompt are
    /// stacked, so that its matrix is read once.
    fn multiply(&self, rows: Tensor<4>, matrices: Tensor<4>) -> Tensor<4> {
        let [_, heads, n, k] = rows.dims();
        let m = matrices.dims()[3];
        let product = |rows: Tensor<4>, matrices: Tensor<4>| {
            let (prompts, count) = (matrices.dims()[0], rows.dims()[0]);
            let each = count / prompts;
            let stacked = rows.reshape([prompts, each, heads, n, k]).swap_dims(1, 2);
            let product = stacked.reshape([prompts, heads, each * n, k]).matmul(matrices);
            product.reshape([prompts, heads, each, n, m]).swap_dims(1, 2).reshape([count, heads, n, m])
        };
        let first = self.runs.first().map_or(0, |(_, rows)| rows.len());
        if self.runs.iter().all(|(_, rows)| rows.len() == first) {
            return product(rows, matrices);
        }
        let products = self.runs.iter().map(|(prompt, range)| {
            product(rows.clone().narrow(0, range.start, range.len()), matrices.clone().narrow(0, *prompt, 1))
        });
        Tensor::cat(products.collect(), 0)
    }
}
