//! The preference head: aggregation, standardisation, pooling and reward heads map hidden states to rewards.

mod head_file;
mod linear_reward;
mod pooling;
mod preference_head;
mod reward_stream;
mod standardise;

pub use head_file::{HEAD_CONFIG_FILE, HEAD_WEIGHTS_FILE, HeadFileError};
pub use linear_reward::{LinearReward, NotLinear};
pub use pooling::{Pooling, PoolingKind};
pub use preference_head::{PreferenceHead, PreferenceHeadConfig};
pub use reward_stream::RewardStream;
pub use standardise::Standardise;
