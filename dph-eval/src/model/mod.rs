//! A language model with its tokenizer and its preference head, and how it is found on disk.

mod backbone_reference;
mod backbone_sizes;
mod classifier_model;
mod copy_tokens;
mod error;
mod files;
mod head_fits;
mod head_hash;
mod json_file;
mod locate;
mod located;
mod manifest;
mod open;
mod open_options;
mod outline;
mod task_models;
mod tokenizer;

pub use backbone_reference::{BackboneReference, export_head};
pub use backbone_sizes::BackboneSizes;
pub use classifier_model::ClassifierModel;
pub use error::ModelError;
pub use files::{BACKBONE_FILE, MANIFEST_FILE};
pub(crate) use head_fits::check_head;
pub(crate) use head_hash::head_hash_of_run;
pub use manifest::Manifest;
pub use open::Model;
pub use open_options::OpenOptions;
pub use outline::ModelOutline;
pub use task_models::TaskModels;
