//! Errors of experiment files.

use std::path::PathBuf;

use dph_data::{InvalidToml, TomlProblem};

/// An error of an experiment file.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(feature = "cli", derive(miette::Diagnostic))]
#[non_exhaustive]
pub enum ExperimentError {
    /// The file cannot be read.
    #[error("cannot read the experiment file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// An override is not of the form `key=value`, or its key does not exist.
    #[error("--set {given}: {message}")]
    Override {
        /// The override as given.
        given: String,
        /// The problem and the remedy.
        message: String,
    },
    /// The file has one or more problems.
    #[error(transparent)]
    #[cfg_attr(feature = "cli", diagnostic(transparent))]
    Invalid(Box<InvalidToml>),
}

/// The error that reports problems of a file, given its name and its text.
pub(crate) fn invalid(file: &str, source: &str, problems: Vec<TomlProblem>) -> ExperimentError {
    ExperimentError::Invalid(Box::new(InvalidToml::new(file, source, problems)))
}
