//! Why a command failed, and with which exit status.

use std::fmt;
use std::io;

use dph_data::{ChatError, DataError, RowsError, SplitNotFound, TaskError};
use miette::Report;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request was wrong: no such task, file or split.
    Request(Report),
    /// The work failed: data that cannot be used.
    Work(Report),
    /// `validate` found problems and has printed them.
    Problems(usize),
    /// The output cannot be written.
    Output(io::Error),
}

impl Failure {
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Request(_) => 2,
            Self::Work(_) | Self::Problems(_) | Self::Output(_) => 1,
        }
    }

    pub(crate) fn request(message: impl fmt::Display) -> Self {
        Self::Request(miette::miette!("{message}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(report) | Self::Work(report) => write!(f, "Error: {report:?}"),
            Self::Problems(1) => f.write_str("Error: 1 problem"),
            Self::Problems(count) => write!(f, "Error: {count} problems"),
            Self::Output(error) => write!(f, "Error: cannot write the output: {error}"),
        }
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

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        Self::Request(error.into())
    }
}

impl From<ChatError> for Failure {
    fn from(error: ChatError) -> Self {
        Self::request(error)
    }
}

impl From<RowsError> for Failure {
    fn from(error: RowsError) -> Self {
        match error {
            RowsError::Read { .. } | RowsError::UnknownFormat { .. } => Self::request(error),
            error => Self::Work(miette::miette!("{error}")),
        }
    }
}

impl From<SplitNotFound> for Failure {
    fn from(error: SplitNotFound) -> Self {
        Self::request(error)
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        match error {
            DataError::Rows(error) => error.into(),
            DataError::NotFound(error) => error.into(),
            DataError::NoSyntheticSplit { .. } => Self::request(error),
            error => Self::Work(miette::miette!("{error}")),
        }
    }
}
