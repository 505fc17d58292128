//! The classes of the errors of this crate.

use dph_core::{Classify, ErrorClass};

use crate::chat::{ChatError, TokenizerError};
use crate::definition_error::DefinitionError;
use crate::load::{DataError, FetchError, LocateError};
use crate::order::MixtureError;
use crate::rows::RowsError;

impl Classify for DefinitionError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Request
    }

    #[cfg(feature = "cli")]
    fn into_report(self) -> miette::Report {
        self.into()
    }
}

impl Classify for ChatError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Write { .. } => ErrorClass::Work,
            // A tokenizer, a template or a conversation that is given.
            _ => ErrorClass::Request,
        }
    }
}

impl Classify for TokenizerError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Work
    }
}

impl Classify for MixtureError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Request
    }
}

impl Classify for RowsError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Request
    }
}

impl Classify for FetchError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Failed { .. } => ErrorClass::Work,
            _ => ErrorClass::Request,
        }
    }
}

impl Classify for LocateError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Request
    }
}

impl Classify for DataError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Fetch(error) => error.class(),
            _ => ErrorClass::Request,
        }
    }
}
