//! What can be wrong with an experiment file.

use std::path::PathBuf;

use dph_data::{InvalidToml, TomlProblem};
use miette::{Diagnostic, LabeledSpan, SourceCode};

/// Why an experiment file cannot be used.
#[derive(Debug, thiserror::Error)]
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
    Invalid(Box<InvalidToml>),
}

/// The error that tells of these problems with a file and its text.
pub(crate) fn invalid(file: &str, source: &str, problems: Vec<TomlProblem>) -> ExperimentError {
    ExperimentError::Invalid(Box::new(InvalidToml::new(file, source, problems)))
}

impl Diagnostic for ExperimentError {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        match self {
            Self::Invalid(invalid) => Some(invalid.source_code()),
            _ => None,
        }
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        match self {
            Self::Invalid(invalid) => Some(invalid.labels()),
            _ => None,
        }
    }
}
