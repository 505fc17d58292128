//! [`TokenizerFileReader`]: reads the files of a tokenizer by their names.

use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::error::TokenizerFilesError;
use crate::git_lfs::{POINTER, is_pointer};

/// Reads the files of a tokenizer by their names.
pub struct TokenizerFileReader<'a> {
    /// The folder of the files; used in error messages only.
    pub folder: &'a Path,
    /// Returns the contents of a file, or the error [`NotFound`](io::ErrorKind::NotFound).
    pub read: &'a dyn Fn(&str) -> io::Result<Vec<u8>>,
}

impl TokenizerFileReader<'_> {
    /// The contents of a file; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// If the file exists and cannot be read, or is a pointer of Git LFS.
    pub fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, TokenizerFilesError> {
        match (self.read)(name) {
            Ok(bytes) if is_pointer(&bytes) => Err(self.invalid(name, "file of a tokenizer", POINTER)),
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(TokenizerFilesError::Read { path: self.path(name), source }),
        }
    }

    /// A JSON file; `None` if it does not exist. Errors call it a `what`.
    ///
    /// # Errors
    ///
    /// If the file exists and cannot be read or parsed.
    pub fn json<T: DeserializeOwned>(
        &self,
        name: &str,
        what: &'static str,
    ) -> Result<Option<T>, TokenizerFilesError> {
        let Some(bytes) = self.bytes(name)? else { return Ok(None) };
        let json = serde_json::from_slice(&bytes);
        json.map(Some).map_err(|error| self.invalid(name, what, error.to_string()))
    }

    /// The path of a file for messages: the model itself, if it is one file that holds all others.
    fn path(&self, name: &str) -> PathBuf {
        if self.folder.is_file() { self.folder.to_owned() } else { self.folder.join(name) }
    }

    /// The error that a file is not a valid `what`.
    pub fn invalid(&self, name: &str, what: &'static str, message: impl Into<String>) -> TokenizerFilesError {
        TokenizerFilesError::Invalid { path: self.path(name), what, message: message.into() }
    }

    pub(super) fn unsupported(&self, problem: impl Into<String>) -> TokenizerFilesError {
        TokenizerFilesError::Unsupported { folder: self.folder.to_owned(), problem: problem.into() }
    }
}
