//! Which errors mean that a request was wrong, and which that the work failed, for the programs.

use dph_core::terminal::Failure;

use crate::bench::{BenchError, PlanError};
use crate::file_error::FileError;
use crate::model::ModelError;
use crate::results::ResultsError;

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
        Self::Request(error.into())
    }
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        match error {
            BenchError::NoHead { .. } | BenchError::Data(_) => Self::request(error),
            error => Self::work(error),
        }
    }
}

impl From<ResultsError> for Failure {
    fn from(error: ResultsError) -> Self {
        match error {
            ResultsError::Missing { .. }
            | ResultsError::Format { .. }
            | ResultsError::File(FileError::Json { .. }) => Self::request(error),
            error => Self::work(error),
        }
    }
}
