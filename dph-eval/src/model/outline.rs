//! [`ModelOutline`]: what is known of a model without its weights.

use std::path::Path;

use dph_core::{Ending, PreferenceHeadConfig};
use dph_data::ChatTokenizer;
use dph_model::checkpoint::CausalOutline;
use dph_model::{CheckpointError, DecoderConfig, ModelFiles};

use crate::model::error::ModelError;
use crate::model::head_fits::check_head;
use crate::model::located::Located;
use crate::model::open_options::OpenOptions;
use crate::model::tokenizer::tokenizer;

/// What is known of a model without its weights.
#[derive(Debug)]
pub struct ModelOutline {
    /// The configuration of the language model.
    pub config: DecoderConfig,
    /// Whether it has an output matrix.
    pub has_output: bool,
    /// Its tokenizer, with the format of conversations.
    pub tokenizer: ChatTokenizer,
    /// The configuration of the preference head; `None` for a model without one.
    pub head: Option<PreferenceHeadConfig>,
}

impl ModelOutline {
    /// Reads a path as [`Model::open_with`](crate::Model::open_with) does, without reading the weights of the language model or checking
    /// their hash.
    ///
    /// # Errors
    /// Files that are missing or invalid, weights of other shapes than the configuration says, or parts that do not fit together.
    pub fn read(dir: &Path, options: &OpenOptions) -> Result<Self, ModelError> {
        Self::read_as(dir, options, ModelFiles::causal_outline)
    }

    /// As [`read`](Self::read), also of an encoder.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_classifier(dir: &Path, options: &OpenOptions) -> Result<Self, ModelError> {
        Self::read_as(dir, options, ModelFiles::outline)
    }

    fn read_as(
        dir: &Path,
        options: &OpenOptions,
        outline: fn(&ModelFiles) -> Result<CausalOutline, CheckpointError>,
    ) -> Result<Self, ModelError> {
        let Located { files, format, head, .. } = Located::find(dir, options)?;
        let CausalOutline { config, has_output, .. } = outline(&files)?;
        if let Some(head) = &head {
            check_head(head, config.d_model, config.n_layers)?;
        }
        let ending = head.as_ref().map_or(Ending::Turn, |head| head.ending);
        let tokenizer = tokenizer(&files, format, ending, options.text_only)?;
        Ok(Self { config, has_output, tokenizer, head })
    }
}
