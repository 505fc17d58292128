//! [`Failure`]: why a program failed, and its exit status.

use std::fmt;
use std::io;

use miette::Report;

use crate::error_class::{Classify, ErrorClass};

/// Why a program failed.
#[derive(Debug)]
pub enum Failure {
    /// The request was wrong, for example a file that does not exist: status 2.
    Request(Report),
    /// The work failed: status 1.
    Work(Report),
    /// Part of the work failed, and each failure has been reported; this is the closing line: status 1.
    Partly(String),
    /// The output cannot be written: status 1. A reader that closed its end has seen enough, which is status 0.
    Output(io::Error),
}

impl Failure {
    /// A wrong request, in words.
    pub fn request(message: impl fmt::Display) -> Self {
        Self::Request(Report::msg(message.to_string()))
    }

    /// A failure of the work, in words.
    pub fn work(message: impl fmt::Display) -> Self {
        Self::Work(Report::msg(message.to_string()))
    }

    /// The exit status of the program.
    pub fn status(&self) -> u8 {
        match self {
            Self::Request(_) => 2,
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Work(_) | Self::Partly(_) | Self::Output(_) => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(report) | Self::Work(report) => write!(f, "Error: {report:?}"),
            Self::Partly(line) => f.write_str(line),
            Self::Output(error) => write!(f, "Error: cannot write the output: {error}"),
        }
    }
}

/// An error of writing to the output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// An error of writing JSON to the output.
impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Output(error.into())
    }
}

impl<E: Classify> From<E> for Failure {
    fn from(error: E) -> Self {
        match error.class() {
            ErrorClass::Request => Self::Request(error.into_report()),
            ErrorClass::Work => Self::Work(error.into_report()),
        }
    }
}
