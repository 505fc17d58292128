//! Keys and values in a cache, as slices.

use burn::backend::Flex;
use burn::tensor::{Device, Tensor};

use super::heads::Heads;
use super::matrix::Matrix;
use super::slices::{Primitive, compact, elements};
use crate::decoder::{Cache, CachedLayer, HostLayout};

/// The cached keys and values of a block, both `[rows, n_kv_heads, room, head_dim]`.
pub(super) struct Cached {
    keys: Primitive,
    values: Primitive,
    room: usize,
    heads: Heads,
}

/// The cached tokens of a row that its new tokens attend to.
pub(super) struct CachedPrefix<'a> {
    cached: &'a Cached,
    row: usize,
    first: usize,
    count: usize,
}

impl Cached {
    /// Adds the keys and values in `qkv`, `[rows · seq, qkv width]`, to a block of the cache.
    pub fn extend(
        (cache, block): (&mut Cache, usize),
        qkv: &[f32],
        heads: &Heads,
        layout: &HostLayout,
        device: &Device,
    ) -> Self {
        let shape = [layout.rows, heads.n_kv_heads, layout.seq, heads.head_dim];
        let layer = cache.update(block, shape, device, |layer| CachedLayer {
            keys: add(layer.keys, layer.len, qkv, heads, heads.n_heads, layout),
            values: add(layer.values, layer.len, qkv, heads, heads.n_heads + heads.n_kv_heads, layout),
            len: layer.len + layout.seq,
        });
        let room = layer.keys.dims()[2];
        Self { keys: on_flex(layer.keys.clone()), values: on_flex(layer.values.clone()), room, heads: *heads }
    }

    /// The cached tokens of a row without padding.
    pub fn prefix(&self, row: usize, layout: &HostLayout) -> CachedPrefix<'_> {
        let first = layout.padding[row].min(layout.prefix);
        CachedPrefix { cached: self, row, first, count: layout.prefix - first }
    }
}

impl CachedPrefix<'_> {
    /// Number of tokens.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Keys of a head, `[tokens, head_dim]`.
    pub fn keys(&self, head: usize) -> Matrix<'_> {
        self.part(&self.cached.keys, head)
    }

    /// Values of a head, `[tokens, head_dim]`.
    pub fn values(&self, head: usize) -> Matrix<'_> {
        self.part(&self.cached.values, head)
    }

    fn part<'a>(&self, cached: &'a Primitive, head: usize) -> Matrix<'a> {
        let Cached { room, heads, .. } = self.cached;
        let d = heads.head_dim;
        let first = (self.row * heads.n_kv_heads + head) * room + self.first;
        Matrix::new(&elements(cached)[first * d..], self.count, d, d)
    }
}

/// Writes the heads from `first_head` of all new tokens after the first `len` tokens of `cached`, in place if it has
/// no other owner.
fn add(
    cached: Tensor<4>,
    len: usize,
    qkv: &[f32],
    heads: &Heads,
    first_head: usize,
    layout: &HostLayout,
) -> Tensor<4> {
    let room = cached.dims()[2];
    let mut cached = on_flex(cached);
    let (d, width) = (heads.head_dim, heads.width());
    let heads_of_rows = cached.storage_mut::<f32>().chunks_exact_mut(room * d);
    for (index, out) in heads_of_rows.enumerate() {
        let (row, head) = (index / heads.n_kv_heads, first_head + index % heads.n_kv_heads);
        let tokens = qkv[row * layout.seq * width..].chunks_exact(width);
        for (out, token) in out[len * d..(len + layout.seq) * d].chunks_exact_mut(d).zip(tokens) {
            out.copy_from_slice(&token[head * d..][..d]);
        }
    }
    Tensor::from_primitive::<Flex>(cached)
}

fn on_flex(cached: Tensor<4>) -> Primitive {
    match compact(cached) {
        Some(cached) => cached,
        None => unreachable!("a cache is on the device of the states that it was filled with"),
    }
}
