//! Which errors mean that a request was wrong, and which that the work failed, for the programs.

use dph_core::terminal::Failure;

use crate::chat::ChatError;
use crate::definition_error::DefinitionError;
use crate::load::DataError;
use crate::load::SplitNotFound;
use crate::rows::RowsError;

impl From<DefinitionError> for Failure {
    fn from(error: DefinitionError) -> Self {
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
        Self::request(error)
    }
}

impl From<SplitNotFound> for Failure {
    fn from(error: SplitNotFound) -> Self {
        Self::request(error)
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self::request(error)
    }
}
