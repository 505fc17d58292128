//! [`Model`]: a backbone with its tokenizer and, where there is one, its preference head.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use dph_core::{CandidateSet, HeadFileError, PreferenceHead, PreferenceHeadConfig};
use dph_data::{ChatFormat, ChatOptions, ChatTokenizer};
use dph_model::checkpoint::{CheckpointError, Precision};
use dph_model::{Backbone, LoadOptions, ModelFiles};

use crate::model::backbone_reference::BackboneReference;
use crate::model::error::ModelError;
use crate::model::head_fits::check_head;
use crate::model::locate::locate;
use crate::pass::{Unscorable, check_set};

/// Everything that is needed to score candidates.
#[derive(Debug)]
pub struct Model {
    /// What results call it: the name of its directory.
    pub name: String,
    /// The language model.
    pub backbone: Backbone,
    /// Its tokenizer, which knows how conversations look.
    pub tokenizer: ChatTokenizer,
    /// The preference head and its configuration.
    pub head: Option<(PreferenceHead, PreferenceHeadConfig)>,
}

/// Choices about a model that is opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenOptions {
    /// The format of conversations; otherwise the directory's own.
    pub chat: Option<ChatFormat>,
    /// In which type the matrices of the language model are kept, see [`LoadOptions::precision`]; otherwise the one that the head
    /// was trained with, and f32 without a head.
    pub precision: Option<Precision>,
}

impl Model {
    /// Loads a model from a path, which is one of
    ///
    /// - a Hugging Face model directory, with a preference head in it or without, a GGUF file, or `hf:owner/name`;
    /// - a model directory of the paper's authors, whose head lies among the weights;
    /// - a stage's export: such a directory, or a head with a [reference](BackboneReference) to its backbone, whose content
    ///   hash is checked;
    /// - a run: then the export of its last stage.
    ///
    /// # Errors
    /// What is missing or does not fit together, with what to do about it.
    pub fn open(dir: &Path, device: &Device) -> Result<Self, ModelError> {
        Self::open_with(dir, device, &OpenOptions::default())
    }

    /// As [`open`](Self::open), with choices.
    ///
    /// # Errors
    /// As [`open`](Self::open); also a tokenizer that has no such chat format, a device that cannot compute in such a precision.
    pub fn open_with(dir: &Path, device: &Device, options: &OpenOptions) -> Result<Self, ModelError> {
        let export = locate(dir)?;
        if export.is_file() {
            return Self::open_file(dir, &export, device, options);
        }
        let reference = BackboneReference::load(&export)?;
        let backbone_dir = match &reference {
            Some(reference) => checked_backbone(&export, reference)?,
            None => export.clone(),
        };
        let head = match PreferenceHead::load(&export, device) {
            Ok(head) => Some(head),
            // An export with a reference is nothing without its head. In a model directory of the paper's authors it lies
            // among the weights.
            Err(HeadFileError::Missing { .. }) if reference.is_none() => {
                dph_model::authors_head(&backbone_dir, device)?
            }
            Err(error) => return Err(error.into()),
        };
        // A head goes with the format that it was trained with, which need not be its backbone's.
        let format = match options.chat {
            Some(format) => Some(format),
            None => ChatFormat::load(&export)?,
        };
        let tokenizer = tokenizer(&backbone_dir, format)?;
        let precision = options.precision.or(reference.map(|reference| reference.precision));
        let backbone = backbone(&backbone_dir, device, precision)?;
        Self::new(name_of(dir), backbone, tokenizer, head)
    }

    /// A model that is one file, and so has no head.
    fn open_file(
        dir: &Path,
        file: &Path,
        device: &Device,
        options: &OpenOptions,
    ) -> Result<Self, ModelError> {
        let backbone = backbone(file, device, options.precision)?;
        Self::new(name_of(dir), backbone, tokenizer(file, options.chat)?, None)
    }

    /// A model of parts that are already loaded.
    ///
    /// # Errors
    /// A head that was made for another model.
    pub fn new(
        name: impl Into<String>,
        backbone: Backbone,
        tokenizer: ChatTokenizer,
        head: Option<(PreferenceHead, PreferenceHeadConfig)>,
    ) -> Result<Self, ModelError> {
        if let Some((_, config)) = &head {
            check_head(config, backbone.d_model(), backbone.n_layers())?;
        }
        Ok(Self { name: name.into(), backbone, tokenizer, head })
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

/// The tokenizer of a backbone.
fn tokenizer(backbone: &Path, format: Option<ChatFormat>) -> Result<ChatTokenizer, ModelError> {
    let options = ChatOptions { format, ..ChatOptions::default() };
    let files = ModelFiles::open(backbone)?;
    Ok(ChatTokenizer::from_files(backbone, &|name| files.read(name), &options)?)
}

fn backbone(dir: &Path, device: &Device, precision: Option<Precision>) -> Result<Backbone, CheckpointError> {
    let options = LoadOptions { precision: precision.unwrap_or_default(), ..LoadOptions::default() };
    Backbone::load_with(dir, device, options)
}

/// The backbone's path, if its content is what the head was trained on.
fn checked_backbone(export: &Path, reference: &BackboneReference) -> Result<PathBuf, ModelError> {
    let backbone = reference.resolve(export);
    if !backbone.exists() {
        return Err(ModelError::BackboneMissing { dir: export.to_owned(), backbone });
    }
    let found = dph_model::content_hash(&backbone)?;
    if found != reference.hash {
        let (dir, expected) = (export.to_owned(), reference.hash.clone());
        return Err(ModelError::BackboneChanged { dir, backbone, found, expected });
    }
    Ok(backbone)
}

fn name_of(dir: &Path) -> String {
    let full = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    // Of a repository of the hub the name without its owner.
    full.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned())
}
