//! [`FileError`]: a file that cannot be read or written.

use std::io;
use std::path::PathBuf;

use dph_core::write_atomically;

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The operating system reports an error.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file has invalid content.
    #[error("{}: the file is damaged or was not written by this program: {source}; restore it, or write it again", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The problem and its position.
        source: serde_json::Error,
    },
}

/// Writes a file atomically.
pub(crate) fn write_file(path: PathBuf, bytes: &[u8]) -> Result<(), FileError> {
    write_atomically(&path, bytes).map_err(|source| FileError::Io { path, source })
}

/// Removes a file, if there is one.
pub(crate) fn remove_file(path: PathBuf) -> Result<(), FileError> {
    match std::fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(FileError::Io { path, source }),
        _ => Ok(()),
    }
}
