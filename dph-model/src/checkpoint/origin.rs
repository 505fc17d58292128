//! [`Origin`]: the configuration and the tensor names of a model.

use crate::decoder::DecoderConfig;
use crate::family::{ConfigError, Family, Naming};

/// The configuration and the tensor names of a model.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The text of the configuration.
    pub json: String,
    /// The family.
    pub family: Family,
    /// The configuration of the decoder.
    pub config: DecoderConfig,
    /// The names of the tensors in files.
    pub naming: Naming,
    /// Whether there is an output matrix.
    pub has_output: bool,
}

impl Origin {
    /// The origin of a new causal model.
    pub fn causal(json: &str, naming: Naming) -> Result<Self, ConfigError> {
        let family = Family::parse(json)?;
        Ok(Self { config: family.causal_decoder()?, family, json: json.into(), naming, has_output: true })
    }

    /// The origin of a new encoder.
    pub fn encoder(json: &str) -> Result<Self, ConfigError> {
        let family = Family::parse(json)?;
        Ok(Self {
            config: family.encoder()?,
            family,
            json: json.into(),
            naming: Naming::default(),
            has_output: true,
        })
    }
}
