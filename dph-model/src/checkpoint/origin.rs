//! [`Origin`]: where a model's shape and names come from.

use crate::decoder::DecoderConfig;
use crate::family::{ConfigError, Family, Naming};

/// Where a model's shape and names come from.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The text of the configuration.
    pub json: String,
    /// The family in it.
    pub family: Family,
    /// The shape.
    pub config: DecoderConfig,
    /// How the tensors are named in files.
    pub naming: Naming,
}

impl Origin {
    /// That of a new causal model.
    pub fn causal(json: &str, naming: Naming) -> Result<Self, ConfigError> {
        let family = Family::parse(json)?;
        Ok(Self { config: family.causal_decoder()?, family, json: json.into(), naming })
    }

    /// That of a new encoder.
    pub fn encoder(json: &str) -> Result<Self, ConfigError> {
        let family = Family::parse(json)?;
        Ok(Self { config: family.encoder()?, family, json: json.into(), naming: Naming::default() })
    }
}
