//! The tokenizer of the model of a run.

use std::path::Path;

use dph_data::{ChatError, ChatOptions, ChatTokenizer};
use dph_model::ModelFiles;
use dph_model::checkpoint::COMPANION_FILES;

use crate::error::TrainError;
use crate::experiment::Experiment;

/// The tokenizer of a model, with the chat format of the experiment.
pub(crate) fn tokenizer(experiment: &Experiment, files: &ModelFiles) -> Result<ChatTokenizer, TrainError> {
    let options = ChatOptions { format: experiment.model.chat, text_only: true, ..ChatOptions::default() };
    Ok(ChatTokenizer::from_files(files.path(), &|name| files.read(name), &options)?)
}

/// Copies the tokenizer files of the model at `from` into the directory `to`.
pub(crate) fn copy_tokenizer(from: &Path, to: &Path) -> Result<(), TrainError> {
    copy_files(&ModelFiles::open(from)?, to)
}

/// As [`copy_tokenizer`], from files that are open.
pub(crate) fn copy_files(files: &ModelFiles, to: &Path) -> Result<(), TrainError> {
    for name in COMPANION_FILES {
        match files.read(name) {
            Ok(bytes) => {
                let target = to.join(name);
                std::fs::write(&target, bytes).map_err(|error| TrainError::io(&target, error))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(ChatError::Read { path: files.file_path(name), source }.into()),
        }
    }
    Ok(())
}
