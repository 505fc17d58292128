//! [`Cache`]: keys and values of tokens that were fed before.

use burn::tensor::{Int, Tensor, TensorData};

/// Keys and values of all blocks, as they are *before* norm and rotation, without registers.
///
/// They are kept raw because both the reversed rotation and dynamic scaling depend on the length so far.
#[derive(Debug, Clone, Default)]
pub struct Cache {
    /// Keys and values of each block; empty before the first tokens.
    pub layers: Vec<CachedLayer>,
    /// So many tokens at the start of each row are padding, which nothing sees; empty for none.
    pub padding: Vec<usize>,
}

/// Keys and values of one block, both `[rows, n_kv_heads, tokens, head_dim]`.
#[derive(Debug, Clone)]
pub struct CachedLayer {
    /// The keys.
    pub keys: Tensor<4>,
    /// The values.
    pub values: Tensor<4>,
}

impl Cache {
    /// An empty cache for rows of different lengths, which are padded at their start.
    pub fn with_padding(padding: Vec<usize>) -> Self {
        Self { layers: Vec::new(), padding }
    }

    /// Number of cached tokens a row.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.keys.dims()[2])
    }

    /// Whether nothing has been fed yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all but the last `tokens` tokens.
    pub fn keep_last(&mut self, tokens: usize) {
        let len = self.len();
        if tokens == 0 {
            self.layers.clear();
        } else if tokens < len {
            self.padding.iter_mut().for_each(|padding| *padding = padding.saturating_sub(len - tokens));
            for layer in &mut self.layers {
                let last = |cached: &Tensor<4>| cached.clone().narrow(2, len - tokens, tokens);
                *layer = CachedLayer { keys: last(&layer.keys), values: last(&layer.values) };
            }
        }
    }

    /// Forgets all rows but these, which come in this order.
    pub fn keep_rows(&mut self, rows: &[usize]) {
        let Some(first) = self.layers.first() else { return };
        let indices: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
        let data = TensorData::new(indices, [rows.len()]);
        let indices = Tensor::<1, Int>::from_data(data, &first.keys.device());
        for layer in &mut self.layers {
            let select = |cached: &Tensor<4>| cached.clone().select(0, indices.clone());
            *layer = CachedLayer { keys: select(&layer.keys), values: select(&layer.values) };
        }
        if !self.padding.is_empty() {
            self.padding = rows.iter().map(|&row| self.padding[row]).collect();
            // What is padding in all of them is of no use any more.
            let common = self.padding.iter().copied().min().unwrap_or(0);
            self.keep_last(self.len() - common);
        }
    }

    /// Adds keys and values to block `index` and returns all of them. Blocks must come in order.
    pub(crate) fn extend(&mut self, index: usize, keys: Tensor<4>, values: Tensor<4>) -> CachedLayer {
        let all = match self.layers.get(index) {
            Some(layer) => CachedLayer {
                keys: Tensor::cat(vec![layer.keys.clone(), keys], 2),
                values: Tensor::cat(vec![layer.values.clone(), values], 2),
            },
            None => CachedLayer { keys, values },
        };
        match self.layers.get_mut(index) {
            Some(layer) => *layer = all.clone(),
            None => self.layers.push(all.clone()),
        }
        all
    }
}
