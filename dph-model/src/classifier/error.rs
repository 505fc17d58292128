//! [`ClassifierError`]: why a model is no classifier.

use std::path::PathBuf;

use dph_core::NotLinear;

use crate::checkpoint::CheckpointError;
use crate::family::ConfigError;

/// Why a classifier cannot be loaded or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClassifierError {
    /// The model has no classification layer.
    #[error(
        "{}: `architectures` in its config.json does not name a class *ForSequenceClassification, so the model has no classification layer; \
         train one with `dph-train` (`objective = {{ classify = {{}} }}`)",
        path.display()
    )]
    NoLayer {
        /// The model.
        path: PathBuf,
    },
    /// The stored layer has another number of outputs than the configuration has classes.
    #[error("{}: its config.json has {labels} classes, but its classification layer has {found} outputs", path.display())]
    Layer {
        /// The model.
        path: PathBuf,
        /// Number of classes in the configuration.
        labels: usize,
        /// Number of outputs of the layer.
        found: usize,
    },
    /// The files of the model cannot be read or written.
    #[error(transparent)]
    Files(#[from] CheckpointError),
    /// The configuration with the new layer is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The layer cannot be written.
    #[error(transparent)]
    NotLinear(#[from] NotLinear),
}
