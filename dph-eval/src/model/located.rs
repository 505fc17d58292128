//! [`Located`]: the files of a model and of its preference head, found before anything heavy is read.

use std::path::{Path, PathBuf};

use dph_core::{Ending, HEAD_CONFIG_FILE, HeadFileError, PreferenceHeadConfig};
use dph_data::ChatFormat;
use dph_model::{CheckpointError, ModelFiles};

use crate::model::backbone_reference::BackboneReference;
use crate::model::backbone_sizes::BackboneSizes;
use crate::model::copy_tokens::{have_same_chat, token_difference};
use crate::model::error::ModelError;
use crate::model::locate::locate;
use crate::model::open_options::OpenOptions;
use crate::model::tokenizer::tokenizer;

/// The files of a model and of its preference head.
pub(super) struct Located {
    /// The model or export that the path stands for.
    pub export: PathBuf,
    /// The language model that the head was trained on, if the export refers to it.
    pub reference: Option<BackboneReference>,
    /// The files of the language model.
    pub files: ModelFiles,
    /// The files with the preference head among their weights, if there may be one: those of the language model if `None`.
    pub own: Option<ModelFiles>,
    /// The format of conversations, unless it is the language model's own.
    pub format: Option<ChatFormat>,
    /// The configuration of the preference head; `None` for a model without one.
    pub head: Option<PreferenceHeadConfig>,
    /// Whether the language model is a copy of that of the head which writes conversations otherwise.
    pub other_chat: bool,
}

impl Located {
    /// Finds the files of the model at a path.
    ///
    /// # Errors
    /// Files that are missing or invalid, or another language model than that of the head.
    pub fn find(dir: &Path, options: &OpenOptions) -> Result<Self, ModelError> {
        let export = locate(dir)?;
        let in_one_file = export.is_file();
        let reference = if in_one_file { None } else { BackboneReference::load(&export)? };
        let base = options.base.as_deref();
        let (files, own) = match (&options.backbone, &reference) {
            (Some(backbone), None) => {
                (ModelFiles::open_on(backbone_at(backbone)?, base)?, Some(ModelFiles::open(&export)?))
            }
            (Some(backbone), Some(_)) => (ModelFiles::open_on(backbone_at(backbone)?, base)?, None),
            (None, Some(reference)) => {
                let backbone = reference.resolve(&export);
                if !backbone.exists() {
                    return Err(ModelError::BackboneMissing { dir: export, backbone });
                }
                (ModelFiles::open_on(&backbone, base)?, None)
            }
            (None, None) => {
                let files = ModelFiles::open_on(&export, base)?;
                match files.config_json() {
                    Err(CheckpointError::NoConfig { .. }) if export.join(HEAD_CONFIG_FILE).is_file() => {
                        return Err(ModelError::HeadAlone { dir: export });
                    }
                    _ => (files, None),
                }
            }
        };
        let format = match options.chat {
            // The format that the head was trained with may differ from the backbone's own.
            None if !in_one_file => ChatFormat::load(&export)?,
            format => format,
        };
        // A model in one file has no head.
        let head = match in_one_file {
            true => None,
            false => match PreferenceHeadConfig::load(&export) {
                Ok(head) => Some(head),
                // An export with a reference must have a head. In a model directory of the paper's authors or of a reward model it may
                // be among the weights.
                Err(HeadFileError::Missing { .. }) if reference.is_none() => {
                    dph_model::stored_head_config(own.as_ref().unwrap_or(&files))?
                }
                Err(error) => return Err(error.into()),
            },
        };
        let located = Self { export, reference, files, own, format, head, other_chat: false };
        match &options.backbone {
            Some(backbone) => {
                located.check_copy(backbone)?;
                let other_chat = located.check_tokens(backbone, options)?;
                Ok(Self { other_chat, ..located })
            }
            None => Ok(located),
        }
    }

    /// Fails if the language model has changed since the head was trained on it. It reads all of its weights.
    pub fn check_content(&self, options: &OpenOptions) -> Result<(), ModelError> {
        let Some(reference) = self.reference.as_ref().filter(|_| options.backbone.is_none()) else {
            return Ok(());
        };
        let found = self.files.content_hash()?;
        if found == reference.hash {
            return Ok(());
        }
        let (dir, expected) = (self.export.clone(), reference.hash.clone());
        Err(ModelError::BackboneChanged { backbone: reference.resolve(&dir), dir, found, expected })
    }

    /// Fails if the language model is not a copy of the one that the head was trained on.
    fn check_copy(&self, backbone: &Path) -> Result<(), ModelError> {
        if self.head.is_none() {
            return Err(ModelError::NoHeadFor { dir: self.export.clone(), backbone: backbone.to_owned() });
        }
        let trained_on = match (&self.reference, &self.own) {
            (Some(BackboneReference { model: Some(sizes), .. }), _) => Some(sizes.clone()),
            // An export of an earlier version says nothing of its language model.
            (Some(reference), _) => match reference.resolve(&self.export) {
                own if own.exists() => Some(BackboneSizes::read(&ModelFiles::open(own)?)?),
                _ => None,
            },
            (None, Some(own)) => match BackboneSizes::read(own) {
                Err(CheckpointError::NoConfig { .. }) => None,
                sizes => Some(sizes?),
            },
            (None, None) => None,
        };
        let found = BackboneSizes::read(&self.files)?;
        match trained_on.map(|sizes| found.differences(&sizes)) {
            Some(differences) if !differences.is_empty() => Err(ModelError::OtherModel {
                dir: self.export.clone(),
                backbone: backbone.to_owned(),
                differences,
            }),
            _ => Ok(()),
        }
    }

    /// Fails if the tokens of the language model are others than those of the one that the head was trained on, if that model is there.
    /// Whether conversations are written otherwise.
    fn check_tokens(&self, backbone: &Path, options: &OpenOptions) -> Result<bool, ModelError> {
        let referred = self.reference.as_ref().map(|reference| reference.resolve(&self.export));
        let referred = referred.and_then(|path| ModelFiles::open(path).ok());
        let trained_on = referred.as_ref().or(self.own.as_ref());
        let ending = self.head.as_ref().map_or(Ending::Turn, |head| head.ending);
        let read = |files: &ModelFiles| tokenizer(files, self.format, ending, options.text_only).ok();
        // Another error is reported where the tokenizer is needed.
        let Some((found, expected)) = read(&self.files).zip(trained_on.and_then(read)) else {
            return Ok(false);
        };
        match token_difference(&found, &expected) {
            None => Ok(!have_same_chat(&found, &expected)),
            Some(difference) => Err(ModelError::OtherModel {
                dir: self.export.clone(),
                backbone: backbone.to_owned(),
                differences: vec![difference],
            }),
        }
    }
}

/// The language model at a path: that of the head if there is an export of one.
fn backbone_at(path: &Path) -> Result<PathBuf, ModelError> {
    let dir = locate(path)?;
    let reference = if dir.is_file() { None } else { BackboneReference::load(&dir)? };
    Ok(reference.map_or(dir.clone(), |reference| reference.resolve(&dir)))
}
