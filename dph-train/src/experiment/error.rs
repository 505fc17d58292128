//! What can be wrong with an experiment file.

use std::path::PathBuf;

use dph_data::{InvalidToml, TomlProblem};
/// Why an experiment file cannot be used.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(feature = "cli", derive(miette::Diagnostic))]
#[non_exhaustive]
pub enum ExperimentError {
    /// The file cannot be read.
    #[error("cannot read the experiment file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An override is not of the form `key=value`, or names nothing.
    #[error("--set {given}: {message}")]
    Override {
        /// The override as given.
        given: String,
        /// What is wrong with it.
        message: String,
    },
    /// The file is wrong in one or several places.
    #[error(transparent)]
    #[cfg_attr(feature = "cli", diagnostic(transparent))]
    Invalid(Box<InvalidToml>),
}

/// The error that tells of these problems with a file and its text.
pub(crate) fn invalid(file: &str, source: &str, problems: Vec<TomlProblem>) -> ExperimentError {
    ExperimentError::Invalid(Box::new(InvalidToml::new(file, source, problems)))
}
