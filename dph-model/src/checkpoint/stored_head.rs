//! The preference head among the weights of a model.

use burn::tensor::Device;
use dph_core::{PreferenceHead, PreferenceHeadConfig};

use super::authors_head::head_of_files;
use super::reward_head::reward_head;
use super::{CheckpointError, ModelFiles};

/// The preference head that is stored with the weights of a model, in f32, or `None` if there is none: that of the paper's authors, or
/// that of a reward model of another trainer (`*ForSequenceClassification`, or a causal language model with a value head).
///
/// A head of another trainer reads the last token of the whole conversation, see [`Ending::Conversation`](dph_core::Ending).
///
/// # Errors
///
/// If the files cannot be read, or the head has a form that is not supported.
pub fn stored_head(
    files: &ModelFiles,
    device: &Device,
) -> Result<Option<(PreferenceHead, PreferenceHeadConfig)>, CheckpointError> {
    match head_of_files(files, device)? {
        Some(head) => Ok(Some(head)),
        None => reward_head(files, device),
    }
}
