//! [`Files`]: reads the files of a tokenizer by their names.

use std::io;
use std::path::Path;

use serde_json::{Map, Value};

use super::error::TokenizerFilesError;

pub(super) struct Files<'a> {
    /// Used in error messages only.
    pub folder: &'a Path,
    pub read: &'a dyn Fn(&str) -> io::Result<Vec<u8>>,
}

impl Files<'_> {
    /// The contents of a file; `None` if it does not exist.
    pub fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, TokenizerFilesError> {
        match (self.read)(name) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(TokenizerFilesError::Read { path: self.folder.join(name), source }),
        }
    }

    /// A JSON object; `None` if the file does not exist.
    pub fn object(
        &self,
        name: &str,
        what: &'static str,
    ) -> Result<Option<Map<String, Value>>, TokenizerFilesError> {
        let Some(bytes) = self.bytes(name)? else { return Ok(None) };
        let object = serde_json::from_slice(&bytes);
        object.map(Some).map_err(|error| self.invalid(name, what, error.to_string()))
    }

    pub fn invalid(&self, name: &str, what: &'static str, message: impl Into<String>) -> TokenizerFilesError {
        TokenizerFilesError::Invalid { path: self.folder.join(name), what, message: message.into() }
    }

    pub fn unsupported(&self, problem: impl Into<String>) -> TokenizerFilesError {
        TokenizerFilesError::Unsupported { folder: self.folder.to_owned(), problem: problem.into() }
    }
}
