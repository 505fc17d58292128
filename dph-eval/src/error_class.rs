//! The classes of the errors of this crate.

use dph_core::{Classify, ErrorClass};

use crate::bench::{BenchError, PlanError};
use crate::calibration::CalibrationError;
use crate::compare::CompareError;
use crate::file_error::FileError;
use crate::generate::GenerationError;
use crate::model::ModelError;
use crate::pass::ScoreError;
use crate::results::ResultsError;

impl Classify for FileError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Json { .. } => ErrorClass::Request,
            Self::Io { .. } => ErrorClass::Work,
        }
    }
}

impl Classify for ModelError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::NotFound { .. }
            | Self::Unfinished { .. }
            | Self::Sweep { .. }
            | Self::BackboneMissing { .. }
            | Self::BackboneChanged { .. }
            | Self::HeadAlone { .. }
            | Self::NoHeadFor { .. }
            | Self::OtherModel { .. }
            | Self::HeadSize { .. }
            | Self::HeadLayer { .. } => ErrorClass::Request,
            Self::Backbone(error) => error.class(),
            Self::Classifier(error) => error.class(),
            Self::Tokenizer(error) => error.class(),
            Self::Head(error) => error.class(),
            Self::File(error) => error.class(),
        }
    }
}

impl Classify for PlanError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Request
    }

    #[cfg(feature = "cli")]
    fn into_report(self) -> miette::Report {
        self.into()
    }
}

impl Classify for ScoreError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Set { .. } | Self::NoOutput => ErrorClass::Request,
            Self::Input(error) => error.class(),
            Self::Unconditional { .. } => ErrorClass::Request,
        }
    }
}

impl Classify for BenchError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::NoHead { .. }
            | Self::NoChat { .. }
            | Self::Style { .. }
            | Self::Scorer(_)
            | Self::Classes { .. }
            | Self::ClassifierAlone
            | Self::NoTraining { .. } => ErrorClass::Request,
            Self::Head { source, .. } => source.class(),
            Self::Data(error) => error.class(),
            Self::Model(error) => error.class(),
            Self::Batch(error) => error.class(),
            Self::Score { source, .. } => source.class(),
        }
    }
}

impl Classify for ResultsError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Missing { .. }
            | Self::MissingDocuments { .. }
            | Self::OtherDocuments { .. }
            | Self::Sweep { .. }
            | Self::Format { .. } => ErrorClass::Request,
            Self::File(error) => error.class(),
        }
    }
}

impl Classify for CalibrationError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Results(error) => error.class(),
            Self::File(error) => error.class(),
            _ => ErrorClass::Request,
        }
    }
}

impl Classify for CompareError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Results(error) => error.class(),
            _ => ErrorClass::Request,
        }
    }
}

impl Classify for GenerationError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::NoAnswers
            | Self::EmptyPrompt
            | Self::PromptTooLong { .. }
            | Self::NoHead { .. }
            | Self::NoSuchHead { .. }
            | Self::PlainHead { .. }
            | Self::Greedy { .. }
            | Self::Setting { .. }
            | Self::NoOutput { .. }
            | Self::ReadsConversation { .. }
            | Self::DependsOnLength { .. } => ErrorClass::Request,
            Self::Generate(error) => match error {
                dph_model::GenerateError::Input(error) => error.class(),
                _ => ErrorClass::Request,
            },
            Self::Input(error) => error.class(),
            Self::Score(error) => error.class(),
            Self::Text(error) => error.class(),
        }
    }
}
