//! [`DefinitionError`]: why a task or a suite cannot be used.

use std::path::PathBuf;

use crate::invalid_toml::InvalidToml;

/// Why a task or a suite cannot be used. Both are embedded under a name, or defined by a TOML file.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(feature = "cli", derive(miette::Diagnostic))]
#[non_exhaustive]
pub enum DefinitionError {
    /// Nothing with this name is embedded.
    #[error("there is no {kind} `{name}`; {help}")]
    Unknown {
        /// `task` or `suite`.
        kind: &'static str,
        /// The name as given.
        name: String,
        /// The nearest name, or what to do.
        help: String,
    },
    /// The file cannot be read.
    #[error("cannot read the {kind} file {}: {source}", path.display())]
    Read {
        /// `task` or `suite`.
        kind: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The file is invalid in one or several places.
    #[error(transparent)]
    #[cfg_attr(feature = "cli", diagnostic(transparent))]
    Invalid(Box<InvalidToml>),
}
