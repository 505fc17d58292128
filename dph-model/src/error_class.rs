//! The classes of the errors of this crate.

use dph_core::{Classify, ErrorClass};

use crate::backbone::PatternError;
use crate::checkpoint::CheckpointError;
use crate::classifier::ClassifierError;
use crate::decoder::InputError;
use crate::family::ConfigError;

impl Classify for ConfigError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Request
    }
}

impl Classify for PatternError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Request
    }
}

impl Classify for InputError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Work
    }
}

impl Classify for ClassifierError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::NoLayer { .. } | Self::Layer { .. } | Self::NotLinear(_) => ErrorClass::Request,
            Self::Files(error) => error.class(),
            Self::Config(error) => error.class(),
        }
    }
}

/// What a path, a configuration or a flag says is part of the request; weights are read by the work.
impl Classify for CheckpointError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::NotADirectory { .. }
            | Self::NoConfig { .. }
            | Self::Config { .. }
            | Self::Gguf { .. }
            | Self::RewardRows { .. }
            | Self::RewardHead { .. }
            | Self::RewardLayers { .. }
            | Self::TokenClassifier { .. }
            | Self::Adapter { .. }
            | Self::NoAdapter { .. }
            | Self::NoClass { .. }
            | Self::Precision { .. } => ErrorClass::Request,
            Self::Head(error) => error.class(),
            Self::NotFound { .. }
            | Self::Io { .. }
            | Self::Index { .. }
            | Self::Damaged { .. }
            | Self::Pointer { .. }
            | Self::Calls { .. }
            | Self::Hub { .. }
            | Self::NotFinite { .. }
            | Self::TooLarge { .. }
            | Self::Misfit { .. }
            | Self::Write { .. } => ErrorClass::Work,
        }
    }
}
