//! The file with the weights of an adapter.

use std::path::{Path, PathBuf};

use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::weight_files::Format;

/// The names of the file, in the order of the search.
const FILES: [(&str, Format); 2] =
    [("adapter_model.safetensors", Format::Safetensors), ("adapter_model.bin", Format::Pytorch)];

/// The file with the weights of the adapter in a directory.
pub(crate) fn adapter_weights(dir: &Path) -> Result<(PathBuf, Format), CheckpointError> {
    let files = FILES.map(|(name, format)| (dir.join(name), format));
    files.into_iter().find(|(path, _)| path.exists()).ok_or_else(|| CheckpointError::NotFound {
        path: dir.join(FILES[0].0),
        remedy: "the weights of an adapter are in this file; fetch it as well".into(),
    })
}
