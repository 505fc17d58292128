//! [`Model`]: a backbone with its tokenizer and, where there is one, its preference head.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use dph_core::{CandidateSet, Ending, HEAD_CONFIG_FILE, PreferenceHead, PreferenceHeadConfig};
use dph_data::ChatTokenizer;
use dph_model::checkpoint::{CheckpointError, Precision};
use dph_model::{Backbone, LoadOptions, ModelFiles};

use crate::model::error::ModelError;
use crate::model::head_fits::check_head;
use crate::model::located::Located;
use crate::model::open_options::OpenOptions;
use crate::model::tokenizer::tokenizer;
use crate::pass::{Unscorable, check_set};

/// A language model with everything that is needed to score candidates.
#[derive(Debug)]
pub struct Model {
    /// The name in results: that of its directory.
    pub name: String,
    /// The language model.
    pub backbone: Backbone,
    /// Its tokenizer, with the format of conversations.
    pub tokenizer: Arc<ChatTokenizer>,
    /// The preference head and its configuration; `None` for a model without one.
    pub head: Option<(PreferenceHead, PreferenceHeadConfig)>,
    /// What a user should know of how it was opened.
    pub warnings: Vec<String>,
    /// The files of the language model; `None` for one that was made in memory.
    files: Option<ModelFiles>,
}

impl Model {
    /// Loads a model from a path, which is one of
    ///
    /// - a Hugging Face model directory, with a preference head in it or without, a GGUF file, or `hf:owner/name`;
    /// - a model directory of the paper's authors, whose weights include the head;
    /// - a directory with an adapter of PEFT, whose base model has to be there;
    /// - a reward model of another trainer: `*ForSequenceClassification`, or a language model with a value head;
    /// - a stage's export: such a directory, or a head with a [reference](crate::BackboneReference) to its backbone, whose content
    ///   hash is checked;
    /// - a run, for which the export of its last stage is opened.
    ///
    /// # Errors
    /// Files that are missing or invalid, or parts that do not fit together; the message says what to do.
    pub fn open(dir: &Path, device: &Device) -> Result<Self, ModelError> {
        Self::open_with(dir, device, &OpenOptions::default())
    }

    /// As [`open`](Self::open), with options.
    ///
    /// # Errors
    /// As [`open`](Self::open); also a tokenizer without this chat format, or a device without this precision.
    pub fn open_with(dir: &Path, device: &Device, options: &OpenOptions) -> Result<Self, ModelError> {
        Self::open_parts(dir, device, options, None)
    }

    /// As [`open_with`](Self::open_with), with the model's tokenizer if it is already loaded.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with).
    pub fn open_parts(
        dir: &Path,
        device: &Device,
        options: &OpenOptions,
        loaded: Option<Arc<ChatTokenizer>>,
    ) -> Result<Self, ModelError> {
        let located = Located::find(dir, options)?;
        // Of an encoder, a tokenizer without a chat format is not what is wrong.
        located.files.causal_config()?;
        located.check_content(options)?;
        let Located { export, reference, files, own, format, head, other_chat } = located;
        let mut warnings = Vec::new();
        let head = match head {
            None => None,
            Some(_) if export.join(HEAD_CONFIG_FILE).is_file() => {
                Some(PreferenceHead::load(&export, device)?)
            }
            Some(_) => {
                let of_head = own.as_ref().unwrap_or(&files);
                warnings = dph_model::stored_head_warnings(of_head)?;
                dph_model::stored_head(of_head, device)?
            }
        };
        let ending = head.as_ref().map_or(Ending::Turn, |(_, config)| config.ending);
        let tokenizer = match loaded {
            Some(tokenizer) if tokenizer.ending() == ending => tokenizer,
            _ => Arc::new(tokenizer(&files, format, ending, options.text_only)?),
        };
        let precision = options.precision.or(reference.as_ref().map(|reference| reference.precision));
        let backbone = backbone(&files, device, precision)?;
        let model = Self::new(name_of(dir), backbone, tokenizer, head)?;
        if let Some(backbone) = &options.backbone {
            let trained_on = reference.as_ref().map(|reference| reference.hash.as_str());
            if trained_on != Some(files.content_hash()?.as_str()) {
                warnings.push(format!(
                    "the head of {} was trained on another copy of its language model than {}, so rewards differ",
                    dir.display(),
                    backbone.display()
                ));
            }
            if other_chat {
                warnings.push(format!(
                    "{} writes conversations otherwise than the language model that the head of {} was trained on (its chat template \
                     differs), so rewards differ; copy the files of the tokenizer from that model",
                    backbone.display(),
                    dir.display()
                ));
            }
        }
        Ok(Self { files: Some(files), warnings, ..model })
    }

    /// Combines parts that are already loaded.
    ///
    /// # Errors
    /// A head for a model of another size.
    pub fn new(
        name: impl Into<String>,
        backbone: Backbone,
        tokenizer: impl Into<Arc<ChatTokenizer>>,
        head: Option<(PreferenceHead, PreferenceHeadConfig)>,
    ) -> Result<Self, ModelError> {
        if let Some((_, config)) = &head {
            check_head(config, backbone.d_model(), backbone.n_layers())?;
        }
        Ok(Self {
            name: name.into(),
            backbone,
            tokenizer: tokenizer.into(),
            head,
            warnings: Vec::new(),
            files: None,
        })
    }

    /// A hash of the files of the language model, see [`dph_model::content_hash`]; `None` for one that was made in memory.
    ///
    /// # Errors
    /// A file that can no longer be read.
    pub fn content_hash(&self) -> Result<Option<String>, ModelError> {
        Ok(self.files.as_ref().map(ModelFiles::content_hash).transpose()?)
    }

    /// The names of the reward heads; none without a preference head.
    pub fn heads(&self) -> &[String] {
        self.head.as_ref().map_or(&[], |(_, config)| &config.rewards)
    }

    /// Whether this model can score a set.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check(&self, set: &CandidateSet) -> Result<(), Unscorable> {
        check_set(&self.backbone, set)
    }
}

fn backbone(
    files: &ModelFiles,
    device: &Device,
    precision: Option<Precision>,
) -> Result<Backbone, CheckpointError> {
    let options = LoadOptions { precision: precision.unwrap_or_default(), ..LoadOptions::default() };
    Backbone::load_files(files, device, options)
}

pub(super) fn name_of(dir: &Path) -> String {
    let full = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    // For a repository of the hub this is its name without the owner.
    full.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned())
}
