//! [`ModelOutline`]: what is known of a model without its weights.

use std::path::Path;

use dph_core::{Ending, HeadFileError, PreferenceHeadConfig};
use dph_data::{ChatFormat, ChatTokenizer};
use dph_model::checkpoint::CONFIG_FILE;
use dph_model::family::has_output;
use dph_model::{CheckpointError, DecoderConfig, Family, ModelFiles};

use crate::model::backbone_reference::BackboneReference;
use crate::model::error::ModelError;
use crate::model::locate::locate;
use crate::model::open::{OpenOptions, tokenizer};

/// What is known of a model without its weights.
#[derive(Debug)]
pub struct ModelOutline {
    /// The configuration of the language model.
    pub config: DecoderConfig,
    /// Whether it is of a class with an output matrix.
    pub has_output: bool,
    /// Its tokenizer, with the format of conversations.
    pub tokenizer: ChatTokenizer,
    /// The configuration of the preference head; `None` for a model without one, or with one among the weights.
    pub head: Option<PreferenceHeadConfig>,
}

impl ModelOutline {
    /// Reads a path as [`Model::open_with`](crate::Model::open_with) does, without reading weights or checking their hash.
    ///
    /// # Errors
    /// Files that are missing or invalid.
    pub fn read(dir: &Path, options: &OpenOptions) -> Result<Self, ModelError> {
        let export = locate(dir)?;
        let in_one_file = export.is_file();
        let reference = if in_one_file { None } else { BackboneReference::load(&export)? };
        let own = || reference.map_or_else(|| export.clone(), |reference| reference.resolve(&export));
        let backbone = options.backbone.clone().unwrap_or_else(own);
        if !backbone.exists() {
            return Err(ModelError::BackboneMissing { dir: export, backbone });
        }
        let head = match PreferenceHeadConfig::load(&export) {
            Ok(head) => Some(head),
            Err(HeadFileError::Missing { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let format = match options.chat {
            None if !in_one_file => ChatFormat::load(&export)?,
            format => format,
        };
        let files = ModelFiles::open_on(&backbone, options.base.as_deref())?;
        let json = files.config_json()?;
        let config = Family::parse(&json).and_then(|family| family.causal_decoder());
        let path = backbone.join(CONFIG_FILE);
        let config = config.map_err(|source| CheckpointError::Config { path, source })?;
        let ending = head.as_ref().map_or(Ending::Turn, |head| head.ending);
        let tokenizer = tokenizer(&files, format, ending, options.text_only)?;
        Ok(Self { has_output: has_output(&json, &config), config, tokenizer, head })
    }
}
