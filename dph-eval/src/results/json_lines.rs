//! Files of JSON Lines beside `results.json`.

use std::io;
use std::path::PathBuf;

use dph_core::text_file::read_text;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::file_error::{FileError, write_file};

/// Reads the values of a file; `None` if there is no such file.
pub(super) fn read_lines<T: DeserializeOwned>(path: PathBuf) -> Result<Option<Vec<T>>, FileError> {
    let json = match read_text(&path) {
        Ok(json) => json,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(FileError::Io { path, source }),
    };
    let values = serde_json::Deserializer::from_str(&json).into_iter();
    values.collect::<Result<_, _>>().map(Some).map_err(|source| FileError::Json { path, source })
}

/// Writes the values into a file, a line for each, atomically.
pub(super) fn write_lines<T: Serialize>(path: PathBuf, values: &[T]) -> Result<(), FileError> {
    let mut lines = Vec::new();
    for value in values {
        serde_json::to_writer(&mut lines, value)
            .map_err(|source| FileError::Json { path: path.clone(), source })?;
        lines.push(b'\n');
    }
    write_file(path, &lines)
}
