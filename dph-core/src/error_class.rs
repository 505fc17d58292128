//! [`ErrorClass`]: whether a request was wrong, or the work failed.

use crate::aggregation::AggregationError;
use crate::device::DeviceError;
use crate::head::HeadFileError;
use crate::tokenizer_files::TokenizerFilesError;

/// The class of an error. It decides the exit status of the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The request was wrong, for example a flag, a key, or a file that it names: exit status 2. The same request fails again.
    Request,
    /// The request was right, but the work failed, for example since weights are damaged or a disk is full: exit status 1.
    Work,
}

/// An error that knows its class.
pub trait Classify: std::error::Error + Sized {
    /// Its class.
    fn class(&self) -> ErrorClass;

    /// What a program prints. An error that points at lines of a file overrides it.
    #[cfg(feature = "cli")]
    fn into_report(self) -> miette::Report {
        miette::Report::msg(self.to_string())
    }
}

impl Classify for AggregationError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Request
    }
}

impl Classify for DeviceError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Request
    }
}

impl Classify for HeadFileError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Missing { .. } | Self::Config { .. } | Self::Aggregation { .. } => ErrorClass::Request,
            Self::Io { .. }
            | Self::Damaged { .. }
            | Self::Sizes { .. }
            | Self::MissingTensor { .. }
            | Self::UnexpectedTensor { .. }
            | Self::Misshapen { .. } => ErrorClass::Work,
        }
    }
}

impl Classify for TokenizerFilesError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Request
    }
}
