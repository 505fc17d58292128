//! [`TaskError`]: why a task cannot be loaded.

use std::path::PathBuf;

use crate::invalid_toml::InvalidToml;

/// Why a task cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(feature = "cli", derive(miette::Diagnostic))]
#[non_exhaustive]
pub enum TaskError {
    /// No embedded task has this name.
    #[error("there is no task `{name}`; {help}")]
    Unknown {
        /// The name that was asked for.
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
    /// The task file is invalid in one or several places.
    #[error(transparent)]
    #[cfg_attr(feature = "cli", diagnostic(transparent))]
    Invalid(Box<InvalidToml>),
}
