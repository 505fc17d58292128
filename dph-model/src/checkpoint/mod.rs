//! The files of models: directories in the layout of Hugging Face (`config.json` with safetensors or PyTorch weights, whole
//! or in shards), GGUF files, and repositories of the hub.
//!
//! In every format the weights are [tensors by name](TensorInfo) and the other files are [files by name](ModelFiles).
//! Every size in a file is checked against the size of the file. Model files are never executed; a pickle that
//! contains code is rejected.

mod adapter;
mod authors_head;
mod classes;
mod convert;
mod delta;
mod element;
mod error;
mod file_names;
mod files;
mod gguf;
mod hash;
mod head_tensors;
mod hub;
mod load;
mod mapped;
mod misfit;
mod open_tensors;
mod origin;
mod precision;
mod pytorch;
mod reward_head;
mod reward_layer;
mod safetensors;
mod save;
mod score_layer;
mod stored_head;
mod tensor_info;
mod tensors;
mod weight_files;

pub use authors_head::authors_head;
pub use classes::{classifier_class, is_known_class, is_token_classifier};
pub use convert::{ConvertOptions, convert, convert_files, convert_with_score};
pub use element::ElementType;
pub use error::CheckpointError;
pub use file_names::{
    ADAPTER_CONFIG_FILE, COMPANION_FILES, CONFIG_FILE, INDEX_FILE, TOKENIZER_FILE, WEIGHTS_FILE,
};
pub use files::ModelFiles;
pub use gguf::{BlockType, is_gguf};
pub use hash::content_hash;
pub use hub::{locate, locate_here};
pub(crate) use load::load;
pub use load::{CausalOutline, LoadOptions};
pub use misfit::Misfit;
pub(crate) use origin::Origin;
pub use precision::Precision;
pub(crate) use save::save;
pub use score_layer::ScoreLayer;
pub use stored_head::{stored_head, stored_head_config, stored_head_warnings};
pub use tensor_info::TensorInfo;
