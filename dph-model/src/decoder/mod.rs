//! One configurable decoder.
//!
//! Shapes are written with `rows` and `seq` (see [`Batch`](dph_core::Batch)), `tokens` (`rows · seq`, flattened),
//! `d_model` (size of a hidden state), `d_ffn` (inner size of the feed-forward network), `n_heads`, `n_kv_heads` and
//! `head_dim`.

mod attention;
mod block;
mod cache;
mod config;
mod head;
mod limits;
mod mlp;
mod norm;
mod parameter;
mod pass;
mod rotary;
mod slot;
mod stack;
mod transpose;

pub use attention::{Attention, QueryKeyNorm, Registers};
pub use block::Block;
pub use cache::{Cache, CachedLayer};
pub use config::{
    Activation, DecoderConfig, DynamicScaling, NormConfig, NormKind, RotaryConfig, RotaryScaling,
};
pub use head::Head;
pub use mlp::Mlp;
pub use norm::Norm;
pub use parameter::Parameter;
pub use pass::{Layout, Pass, Span};
pub use rotary::Rotation;
pub use slot::{BlockSlot, Part, Slot};
pub use stack::{Decoder, FactoredInput};
pub(crate) use transpose::transpose;
