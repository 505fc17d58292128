//! Converts errors into exit statuses: an invalid request, or failed work.

use dph_core::terminal::Failure;

use crate::error::TrainError;
use crate::experiment::error::ExperimentError;

impl From<ExperimentError> for Failure {
    fn from(error: ExperimentError) -> Self {
        Self::Request(error.into())
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        match error.is_request() {
            true => Self::Request(error.into()),
            false => Self::Work(error.into()),
        }
    }
}
