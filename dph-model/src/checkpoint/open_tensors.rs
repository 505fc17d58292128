//! Opens the weights of a model.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::adapter::apply::Adapter;
use super::error::CheckpointError;
use super::file_names::WEIGHTS_FILE;
use super::files::ModelFiles;
use super::tensor_info::TensorInfo;
use super::tensors::Tensors;
use super::weight_files::weight_files;

/// The tensors of a model, whose base an adapter changes.
pub(super) fn open_tensors(model: &ModelFiles) -> Result<Tensors, CheckpointError> {
    if let Some((config, base)) = model.adapter() {
        let mut tensors = open_tensors(base)?;
        Adapter { dir: model.path(), config }.apply(&mut tensors)?;
        return Ok(tensors);
    }
    let mut tensors = Tensors::none(model.path());
    match model.gguf() {
        Some(gguf) => {
            gguf.check_no_head()?;
            tensors.add_gguf(Arc::clone(gguf))?;
        }
        None => {
            let (format, paths) = weight_files(model.path())?;
            paths.iter().try_for_each(|path| tensors.add_file(path, format))?;
        }
    }
    Ok(tensors)
}

/// As [`open_tensors`]; `None` if there are no weights at all.
pub(super) fn tensors_if_there(model: &ModelFiles) -> Result<Option<Tensors>, CheckpointError> {
    let is_weights = |path: &Path| path.file_name().is_some_and(|name| name == WEIGHTS_FILE);
    match open_tensors(model) {
        Err(CheckpointError::NotFound { path, .. }) if is_weights(&path) => Ok(None),
        tensors => tensors.map(Some),
    }
}

impl ModelFiles {
    /// Type and shape of every tensor in the weight files, by its Hugging Face name. No weight is read.
    ///
    /// # Errors
    ///
    /// If there are no weights, or a file is damaged.
    pub fn tensors(&self) -> Result<BTreeMap<String, TensorInfo>, CheckpointError> {
        let tensors = open_tensors(self)?;
        Ok(tensors.iter().map(|(name, info)| (name.to_string(), info.clone())).collect())
    }
}
