//! What can be wrong with a task file, with the places to point at.

use std::path::PathBuf;

use miette::Diagnostic;

use crate::invalid_toml::InvalidToml;

/// A task that cannot be had.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[non_exhaustive]
pub enum TaskError {
    /// No embedded task has this name.
    #[error("there is no task `{name}`; {help}")]
    Unknown {
        /// The name as given.
        name: String,
        /// What to do.
        help: String,
    },
    /// The task file cannot be read.
    #[error("cannot read the task file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The task file is wrong in one or several places.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Invalid(Box<InvalidToml>),
}
