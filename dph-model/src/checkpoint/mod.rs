//! Model directories in the layout of Hugging Face: `config.json` and `model.safetensors`, or shards with a
//! `model.safetensors.index.json`.

mod authors_head;
mod error;
mod hash;
mod load;
mod save;
mod shards;

pub use authors_head::authors_head;
pub use error::{CheckpointError, Misfit};
pub use hash::content_hash;
pub(crate) use load::{Loaded, load};
pub(crate) use save::save;

/// Name of the file with the configuration.
pub const CONFIG_FILE: &str = "config.json";
/// Name of the file with all weights.
pub const WEIGHTS_FILE: &str = "model.safetensors";
/// Name of the file that says which shard holds which weights.
pub const INDEX_FILE: &str = "model.safetensors.index.json";
