//! [`Failure`]: how a command can end other than well, and the exit status of each.

use std::io;
use std::process::ExitCode;

use dph_core::DeviceError;
use dph_data::DataError;
use dph_eval::{BenchError, ModelError, PlanError, ResultsError};
use miette::Report;

use super::terminal::say;

/// How a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The request was wrong: status 2.
    Request(Report),
    /// The work failed: status 1.
    Work(Report),
    /// Part of the work failed, and that has already been said: status 1.
    Partly,
    /// Whoever read the output has seen enough: status 0.
    BrokenPipe,
}

impl Failure {
    /// A wrong request, in words.
    pub fn request(message: impl std::fmt::Display) -> Self {
        Self::Request(Report::msg(message.to_string()))
    }

    /// A failure of the work, in words.
    pub fn work(message: impl std::fmt::Display) -> Self {
        Self::Work(Report::msg(message.to_string()))
    }

    /// Prints what there is to say and gives the exit status.
    pub fn report(self) -> ExitCode {
        let (report, status) = match self {
            Self::Request(report) => (report, 2),
            Self::Work(report) => (report, 1),
            Self::Partly => return ExitCode::from(1),
            Self::BrokenPipe => return ExitCode::SUCCESS,
        };
        say(&format!("Error: {report:?}"));
        ExitCode::from(status)
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        Self::request(error)
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::NotFound { .. } | ModelError::NotAModel { .. } => Self::request(error),
            error => Self::work(error),
        }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        Self::Request(Report::new(error))
    }
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        match error {
            BenchError::NoHead { .. }
            | BenchError::Data(
                DataError::NotFound(_)
                | DataError::NoSyntheticSplit { .. }
                | DataError::TooFewExamples { .. },
            ) => Self::request(error),
            error => Self::work(error),
        }
    }
}

impl From<ResultsError> for Failure {
    fn from(error: ResultsError) -> Self {
        match error {
            ResultsError::Missing { .. } => Self::request(error),
            error => Self::work(error),
        }
    }
}

/// Of writing to stdout.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::work(format!("cannot write to stdout: {error}")),
        }
    }
}
