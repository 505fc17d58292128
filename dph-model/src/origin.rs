//! [`Origin`]: where a model's shape and names come from.

use std::path::Path;

use crate::checkpoint::{self, CheckpointError, Loaded};
use crate::decoder::{Decoder, DecoderConfig};
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

    /// A loaded model and where it comes from.
    pub fn of(loaded: Loaded) -> (Decoder, Self) {
        let Loaded { json, family, config, naming, decoder } = loaded;
        (decoder, Self { json, family, config, naming })
    }

    /// Writes a model that comes from here into a directory.
    pub fn save(&self, dir: &Path, decoder: &Decoder) -> Result<(), CheckpointError> {
        checkpoint::save(dir, &self.json, &self.family, &self.config, self.naming, decoder)
    }
}
