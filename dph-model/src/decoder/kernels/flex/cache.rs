//! Keys and values in a cache, as slices.

use std::ops::Range;

use burn::backend::Flex;
use burn::tensor::{Device, Tensor};

use super::heads::Heads;
use super::matrix::Matrix;
use super::slices::{Primitive, compact, elements};
use crate::decoder::{Cache, CachedLayer, HostLayout, SharedLayer};

/// The cached keys and values of a block, both `[rows, n_kv_heads, room, head_dim]`, and the prompts that rows share.
pub(super) struct Cached {
    own: Stored,
    /// Number of tokens of a row that it does not share, new ones included.
    len: usize,
    heads: Heads,
    shared: Option<Shared>,
}

/// Keys and values, both `[rows, n_kv_heads, room, head_dim]`.
struct Stored {
    keys: Primitive,
    values: Primitive,
    room: usize,
}

/// The prompts that rows share.
pub(super) struct Shared {
    stored: Stored,
    len: usize,
    heads: Heads,
    /// The prompt of each run of neighbouring rows, and the rows.
    pub runs: Vec<(usize, Range<usize>)>,
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
        let (own, len) = (Stored::new(layer.keys.clone(), layer.values.clone()), layer.len);
        let shared = cache.shared(block).map(|layer| Shared::new(layer, heads));
        Self { own, len, heads: *heads, shared }
    }

    /// The prompts that rows share.
    pub fn shared(&self) -> Option<&Shared> {
        self.shared.as_ref()
    }

    /// Keys and values of a head for the tokens of a row that it does not share, new ones included, `[tokens, head_dim]` each.
    pub fn own(&self, row: usize, head: usize) -> [Matrix<'_>; 2] {
        self.own.parts(&self.heads, row, head, 0..self.len)
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

    /// Keys and values of a head, `[tokens, head_dim]` each.
    pub fn parts(&self, head: usize) -> [Matrix<'_>; 2] {
        let Cached { own, heads, .. } = self.cached;
        own.parts(heads, self.row, head, self.first..self.first + self.count)
    }
}

impl Shared {
    fn new(layer: SharedLayer, heads: &Heads) -> Self {
        let SharedLayer { keys, values, len, runs } = layer;
        Self { stored: Stored::new(keys, values), len, heads: *heads, runs }
    }

    /// Keys and values of a head for the tokens of a prompt without its `padding`, `[tokens, head_dim]` each.
    pub fn parts(&self, prompt: usize, head: usize, padding: usize) -> [Matrix<'_>; 2] {
        self.stored.parts(&self.heads, prompt, head, padding.min(self.len)..self.len)
    }
}

impl Stored {
    fn new(keys: Tensor<4>, values: Tensor<4>) -> Self {
        let room = keys.dims()[2];
        Self { keys: on_flex(keys), values: on_flex(values), room }
    }

    /// Keys and values of some tokens of a row for a head, `[tokens, head_dim]` each.
    fn parts(&self, heads: &Heads, row: usize, head: usize, tokens: Range<usize>) -> [Matrix<'_>; 2] {
        let d = heads.head_dim;
        let first = (row * heads.n_kv_heads + head) * self.room + tokens.start;
        [&self.keys, &self.values]
            .map(|cached| Matrix::new(&elements(cached)[first * d..], tokens.len(), d, d))
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
