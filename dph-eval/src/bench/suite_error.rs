//! [`SuiteError`]: what is wrong with a suite, and where.

use std::path::PathBuf;

use dph_data::InvalidToml;
/// A suite that cannot be used.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(feature = "cli", derive(miette::Diagnostic))]
#[non_exhaustive]
pub enum SuiteError {
    /// No embedded suite has this name.
    #[error("there is no suite `{name}`; {help}")]
    Unknown {
        /// The name as given.
        name: String,
        /// The nearest name, or all of them.
        help: String,
    },
    /// The file cannot be read.
    #[error("cannot read the suite {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The file is not a suite.
    #[error(transparent)]
    #[cfg_attr(feature = "cli", diagnostic(transparent))]
    Invalid(Box<InvalidToml>),
}
