//! One configurable decoder.
//!
//! Shapes use `rows` and `seq` (see [`Batch`](dph_core::Batch)), `tokens` (`rows · seq`, flattened), `d_model` (size
//! of a hidden state), `d_ffn` (inner size of the feed-forward network), `n_heads`, `n_kv_heads` and `head_dim`.

mod activation;
mod attention;
mod block;
mod config;
pub(crate) mod extension;
mod group;
mod head;
mod input;
mod input_error;
pub(crate) mod kernels;
mod mlp;
mod norm;
mod parameters;
mod pooler;
mod product;
mod stack;
mod unflatten;

pub use activation::Activation;
#[cfg(feature = "flex")]
pub(crate) use activation::{GELU_TANH_CUBE, GELU_TANH_SCALE, QUICK_GELU_SLOPE};
pub(crate) use attention::MASKED;
pub use attention::{
    Attention, AttentionLayout, Cache, HostLayout, QueryKeyNorm, QueryKeyNormConfig, Registers, Rotation,
    Span,
};
#[cfg(feature = "flex")]
pub(crate) use attention::{CachedLayer, SharedLayer};
pub use block::Block;
pub use config::{
    DecoderConfig, DynamicScaling, PoolerConfig, Positions, Residual, RotaryConfig, RotaryScaling,
};
pub use group::Group;
pub use head::Head;
pub use input::Input;
pub use input_error::InputError;
pub(crate) use input_error::{check_layers, check_length, check_rows, ids};
pub use mlp::Mlp;
pub use norm::{Norm, NormConfig, NormKind};
pub use parameters::{BlockParamKey, ParamKey, Parameter, Part};
pub(crate) use parameters::{random_decoder, transpose};
pub use pooler::Pooler;
pub(crate) use pooler::first_states;
pub use stack::Decoder;
pub(crate) use unflatten::unflatten;
