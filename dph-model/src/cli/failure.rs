//! Why a command failed, and with which exit status.

use std::fmt;
use std::io;

use dph_model::{CheckpointError, ConfigError};
use miette::Report;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request was wrong: no such model.
    Request(Report),
    /// The work failed: a model that cannot be used.
    Work(Report),
    /// The output cannot be written.
    Output(io::Error),
}

impl Failure {
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Request(_) => 2,
            Self::Work(_) | Self::Output(_) => 1,
        }
    }

    pub(crate) fn request(message: impl fmt::Display) -> Self {
        Self::Request(Report::msg(message.to_string()))
    }

    pub(crate) fn work(message: impl fmt::Display) -> Self {
        Self::Work(Report::msg(message.to_string()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(report) | Self::Work(report) => write!(f, "Error: {report:?}"),
            Self::Output(error) => write!(f, "Error: cannot write the output: {error}"),
        }
    }
}

impl From<CheckpointError> for Failure {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::NotADirectory { .. } => Self::request(error),
            error => Self::work(error),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::work(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Output(error.into())
    }
}
