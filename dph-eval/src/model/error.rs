//! [`ModelError`]: why a model cannot be opened.

use std::path::PathBuf;

use dph_core::HeadFileError;
use dph_data::ChatError;
use dph_model::{CheckpointError, ClassifierError};

use crate::file_error::FileError;
use crate::model::files::BACKBONE_FILE;

/// A model that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// There is no such directory.
    #[error("{}: there is no such directory; give a model directory, a .gguf file, hf:owner/name, a stage's export, or a run", dir.display())]
    NotFound {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory is a run without any export.
    #[error(
        "{}: no stage of this run has been exported yet (looked for {}); finish the run with `dph-train … --resume`",
        dir.display(), stages.join(", ")
    )]
    Unfinished {
        /// The run.
        dir: PathBuf,
        /// Its stages.
        stages: Vec<String>,
    },
    /// The directory is a sweep, not one of its runs.
    #[error("{}: this is a sweep, which holds many models; name one of its variants: {}", dir.display(), variants.join(", "))]
    Sweep {
        /// The sweep.
        dir: PathBuf,
        /// Its variants, each a folder.
        variants: Vec<String>,
    },
    /// The backbone of a head is not where it was.
    #[error(
        "{}: the model that this head was trained on is not at {}; put it back, correct `path` in {BACKBONE_FILE}, or name a copy of it \
         with --backbone",
        dir.display(), backbone.display()
    )]
    BackboneMissing {
        /// The export.
        dir: PathBuf,
        /// Where the backbone should be.
        backbone: PathBuf,
    },
    /// The backbone has changed since the head was trained on it.
    #[error(
        "{}: the model at {} has changed since this head was trained on it (content hash {found}, then {expected}); \
         a head fits only the model that it was trained on: restore that model, or train the head again with `dph-train`; another copy \
         of that model can be used with --backbone",
        dir.display(), backbone.display()
    )]
    BackboneChanged {
        /// The export.
        dir: PathBuf,
        /// The backbone.
        backbone: PathBuf,
        /// Its content hash now.
        found: String,
        /// Its content hash when the head was trained.
        expected: String,
    },
    /// The directory has a head, and nothing says on which model.
    #[error(
        "{}: there is a preference head here, but neither a language model nor a {BACKBONE_FILE} that names one; name its language model \
         with --backbone",
        dir.display()
    )]
    HeadAlone {
        /// The directory.
        dir: PathBuf,
    },
    /// A backbone is given for what has no head.
    #[error("{}: there is no preference head here that could be used on {}", dir.display(), backbone.display())]
    NoHeadFor {
        /// The directory.
        dir: PathBuf,
        /// The backbone.
        backbone: PathBuf,
    },
    /// The backbone that is given is not a copy of the one that the head was trained on.
    #[error(
        "{}: {} is not a copy of the model that this head was trained on: {}; name a copy of that model: the same weights in another \
         folder, precision or format",
        dir.display(), backbone.display(), differences.join(", ")
    )]
    OtherModel {
        /// The export.
        dir: PathBuf,
        /// The backbone.
        backbone: PathBuf,
        /// What differs.
        differences: Vec<String>,
    },
    /// The head reads hidden states of another size.
    #[error(
        "the preference head reads hidden states of size {head}, but the model's have size {backbone}; \
         the head belongs to another model"
    )]
    HeadSize {
        /// Size that the head reads.
        head: usize,
        /// Size of the backbone's hidden states.
        backbone: usize,
    },
    /// The head reads a layer that the backbone does not have.
    #[error(
        "the preference head reads layer {layer}, but the model has only {layers} (0, the embedding, to {layers}); \
         the head belongs to another model"
    )]
    HeadLayer {
        /// The layer.
        layer: usize,
        /// Number of layers of the backbone.
        layers: usize,
    },
    /// The backbone cannot be loaded.
    #[error(transparent)]
    Backbone(#[from] CheckpointError),
    /// The classifier cannot be loaded.
    #[error(transparent)]
    Classifier(Box<ClassifierError>),
    /// The tokenizer cannot be loaded.
    #[error(transparent)]
    Tokenizer(#[from] ChatError),
    /// The head cannot be loaded.
    #[error(transparent)]
    Head(#[from] HeadFileError),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<ClassifierError> for ModelError {
    fn from(error: ClassifierError) -> Self {
        Self::Classifier(Box::new(error))
    }
}
