//! One configurable decoder.
//!
//! Shapes use `rows` and `seq` (see [`Batch`](dph_core::Batch)), `tokens` (`rows · seq`, flattened), `d_model` (size
//! of a hidden state), `d_ffn` (inner size of the feed-forward network), `n_heads`, `n_kv_heads` and `head_dim`.

mod activation;
mod assembly;
mod attention;
mod attention_layout;
mod block;
mod cache;
mod config;
mod head;
mod input;
mod input_error;
pub(crate) mod kernels;
mod limits;
mod mlp;
mod norm;
mod param_key;
mod parameter;
mod pooler;
mod positions;
mod product;
mod query_key_norm;
mod random;
mod rotary;
mod rotary_config;
mod stack;
mod transpose;
mod unflatten;

pub use activation::Activation;
#[cfg(feature = "flex")]
pub(crate) use activation::{GELU_TANH_CUBE, GELU_TANH_SCALE, QUICK_GELU_SLOPE};
pub use attention::{Attention, Registers};
pub use attention_layout::{AttentionLayout, HostLayout, Span};
pub use block::Block;
pub use cache::Cache;
#[cfg(feature = "flex")]
pub(crate) use cache::CachedLayer;
pub use config::{DecoderConfig, PoolerConfig, Residual};
pub use head::Head;
pub use input::Input;
pub use input_error::InputError;
pub(crate) use input_error::{check_layers, check_length, ids};
pub use mlp::Mlp;
pub use norm::{Norm, NormConfig, NormKind};
pub use param_key::{BlockParamKey, ParamKey, Part};
pub use parameter::Parameter;
pub use pooler::Pooler;
pub use positions::Positions;
pub(crate) use product::matmul_mixed;
pub use query_key_norm::{QueryKeyNorm, QueryKeyNormConfig};
pub(crate) use random::random_decoder;
pub use rotary::Rotation;
pub use rotary_config::{DynamicScaling, RotaryConfig, RotaryScaling};
pub use stack::Decoder;
pub(crate) use transpose::transpose;
pub(crate) use unflatten::unflatten;
