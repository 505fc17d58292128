//! The tokenizer of the model of a run.

use std::path::Path;

use dph_data::{ChatError, ChatOptions, ChatTokenizer};
use dph_model::ModelFiles;
use dph_model::checkpoint::COMPANION_FILES;

use crate::error::TrainError;
use crate::experiment::Experiment;

/// The tokenizer in a directory, with the chat format of the experiment.
pub(crate) fn tokenizer(experiment: &Experiment, folder: &Path) -> Result<ChatTokenizer, TrainError> {
    let options = ChatOptions { format: experiment.model.chat, text_only: true, ..ChatOptions::default() };
    let files = ModelFiles::open(folder)?;
    Ok(ChatTokenizer::from_files(folder, &|name| files.read(name), &options)?)
}

/// Copies the tokenizer files of the model at `from` into the directory `to`.
pub(crate) fn copy_tokenizer(from: &Path, to: &Path) -> Result<(), TrainError> {
    let files = ModelFiles::open(from)?;
    for name in COMPANION_FILES {
        match files.read(name) {
            Ok(bytes) => {
                let target = to.join(name);
                std::fs::write(&target, bytes).map_err(|error| TrainError::io(&target, error))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(ChatError::Read { path: files.path().join(name), source }.into()),
        }
    }
    Ok(())
}
