//! The preference head among the weights of a model.

use burn::tensor::Device;
use dph_core::{PreferenceHead, PreferenceHeadConfig};

use super::head_tensors::StoredHead;
use super::load::describe;
use super::open_tensors::tensors_if_there;
use super::{CheckpointError, ModelFiles, authors_head, reward_head};
use crate::family::Family;

/// The preference head that is stored with the weights of a model, in f32, or `None` if there is none: that of the paper's authors, or
/// that of a reward model of another trainer (`*ForSequenceClassification`, or a causal language model with a value head).
///
/// A head of another trainer reads the last token of the whole conversation, see [`Ending`](dph_core::Ending).
///
/// # Errors
///
/// If the files cannot be read, or the head has a form that is not supported.
pub fn stored_head(
    files: &ModelFiles,
    device: &Device,
) -> Result<Option<(PreferenceHead, PreferenceHeadConfig)>, CheckpointError> {
    stored(files)?.map(|head| head.build(files.path(), device)).transpose()
}

/// The configuration of the preference head that is stored with the weights of a model, see [`stored_head`].
///
/// # Errors
///
/// As for [`stored_head`].
pub fn stored_head_config(files: &ModelFiles) -> Result<Option<PreferenceHeadConfig>, CheckpointError> {
    Ok(stored(files)?.map(|head| head.config))
}

/// What a user should know of how the preference head that is stored with the weights of a model is read, see [`stored_head`]: a tensor that
/// is left out, or a class that is not known.
///
/// # Errors
///
/// As for [`stored_head`].
pub fn stored_head_warnings(files: &ModelFiles) -> Result<Vec<String>, CheckpointError> {
    Ok(stored(files)?.map(|head| head.warnings).unwrap_or_default())
}

fn stored(files: &ModelFiles) -> Result<Option<StoredHead>, CheckpointError> {
    let (json, family, config) = describe(files, Family::decoder)?;
    let Some(tensors) = tensors_if_there(files)? else { return Ok(None) };
    match authors_head::find(files, &family, &tensors)? {
        Some(head) => Ok(Some(head)),
        None => reward_head::find(files, &json, &family, &config, &tensors),
    }
}
