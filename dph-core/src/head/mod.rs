//! The preference head: aggregation, standardisation, pooling and reward heads map hidden states to rewards.

mod head_file;
mod pooling;
mod preference_head;
mod standardise;

pub use head_file::{HEAD_CONFIG_FILE, HEAD_WEIGHTS_FILE, HeadFileError};
pub use pooling::{Pooling, PoolingKind};
pub use preference_head::{PreferenceHead, PreferenceHeadConfig};
pub use standardise::Standardise;
