//! Optional JSON files.

use std::io;
use std::path::PathBuf;

use dph_core::text_file::read_text;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::file_error::{FileError, write_file};

/// The content of a file; `None` if it does not exist.
pub(super) fn load<T: DeserializeOwned>(path: PathBuf) -> Result<Option<T>, FileError> {
    match read_text(&path) {
        Ok(json) => serde_json::from_str(&json).map(Some).map_err(|source| FileError::Json { path, source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::Io { path, source }),
    }
}

/// Writes a file atomically: the indented content, then `end`.
pub(super) fn save(path: PathBuf, content: &impl Serialize, end: &str) -> Result<(), FileError> {
    match serde_json::to_string_pretty(content) {
        Ok(json) => write_file(path, (json + end).as_bytes()),
        Err(source) => Err(FileError::Json { path, source }),
    }
}
