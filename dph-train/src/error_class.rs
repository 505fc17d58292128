//! The classes of the errors of this crate.

use dph_core::{Classify, ErrorClass};

use crate::error::TrainError;
use crate::experiment::error::ExperimentError;

impl Classify for ExperimentError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Request
    }

    #[cfg(feature = "cli")]
    fn into_report(self) -> miette::Report {
        self.into()
    }
}

impl Classify for TrainError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Damaged { .. }
            | Self::NoModel { .. }
            | Self::OtherExperiment { .. }
            | Self::OtherData { .. }
            | Self::OtherModel { .. }
            | Self::NotAnExport { .. }
            | Self::NotARun { .. }
            | Self::NotCreated { .. }
            | Self::Locked { .. }
            | Self::NoData { .. }
            | Self::NoTask { .. }
            | Self::DoesNotFit { .. }
            | Self::OtherTokenizer { .. }
            | Self::NoRoom { .. }
            | Self::NoOutput { .. }
            | Self::Style { .. }
            | Self::Encoder { .. }
            | Self::Classes { .. }
            | Self::NoRoomForTexts { .. }
            | Self::Sweep(_) => ErrorClass::Request,
            Self::Io { .. }
            | Self::Checkpoint { .. }
            | Self::Training { .. }
            | Self::NotFinite { .. }
            | Self::NonFinite { .. }
            | Self::AsAnother { .. } => ErrorClass::Work,
            Self::Variant { source, .. } => source.class(),
            Self::Pattern(error) => error.class(),
            Self::Aggregation(error) => error.class(),
            Self::Task(error) => error.class(),
            Self::Data(error) => error.class(),
            Self::Mixture(error) => error.class(),
            Self::Tokenizer(error) => error.class(),
            Self::NewTokenizer(error) => error.class(),
            Self::Files(error) => error.class(),
            Self::Classifier(error) => error.class(),
            Self::Config(error) => error.class(),
            Self::Input(error) => error.class(),
            Self::Sets(error) => error.class(),
            Self::Model(error) => error.class(),
            Self::Plan(error) => error.class(),
            Self::Bench(error) => error.class(),
            Self::Results(error) => error.class(),
            Self::Device(error) => error.class(),
            Self::Head(error) => error.class(),
        }
    }

    #[cfg(feature = "cli")]
    fn into_report(self) -> miette::Report {
        self.into()
    }
}
