//! Which errors mean that a request was wrong, and which that the work failed, for the programs.

use dph_core::terminal::Failure;

use crate::checkpoint::CheckpointError;
use crate::family::ConfigError;

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
