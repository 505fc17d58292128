//! Loading tasks: embedded ones by name, others from files.

use std::path::Path;

use dph_core::suggestion::did_you_mean;
use dph_core::text_file::read_text;
use serde_json::Value as Json;

use super::compile::compile;
use super::definition::Task;
use super::{embedded, keys};
use crate::definition_error::DefinitionError;
use crate::definition_path::is_toml;
use crate::invalid_toml::InvalidToml;

/// The kind of definition in errors.
const KIND: &str = "task";

impl Task {
    /// The names of the embedded tasks.
    pub fn names() -> impl Iterator<Item = &'static str> {
        embedded::TASKS.iter().map(|(name, _)| *name)
    }

    /// The TOML source of an embedded task, for reading or as a template for a new task.
    pub fn embedded_source(name: &str) -> Option<&'static str> {
        embedded::source(name)
    }

    /// The JSON schema of task files: every key with its documentation, for editors that know such schemas.
    ///
    /// The `x-kinds` of a property lists the kinds of tasks that have the key; without it, all kinds have the key.
    pub fn schema() -> Json {
        keys::schema()
    }

    /// An embedded task by its name, or any task by the path of its file (which ends in `.toml`).
    ///
    /// # Errors
    /// [`DefinitionError::Unknown`] with the nearest name; otherwise as [`from_file`](Self::from_file).
    pub fn find(name_or_path: &str) -> Result<Self, DefinitionError> {
        if let Some(source) = embedded::source(name_or_path) {
            return Self::parse(source, &format!("{name_or_path}.toml"));
        }
        if is_toml(Path::new(name_or_path)) {
            return Self::from_file(Path::new(name_or_path));
        }
        let help = did_you_mean(name_or_path, Self::names()).unwrap_or_else(|| {
            "`dph-data list` shows the embedded tasks; name your own by its path, which ends in .toml".into()
        });
        Err(DefinitionError::Unknown { kind: KIND, name: name_or_path.to_owned(), help })
    }

    /// A task from a TOML file.
    ///
    /// # Errors
    /// The file cannot be read, or is not a valid task; all problems are listed.
    pub fn from_file(path: &Path) -> Result<Self, DefinitionError> {
        let source = read_text(path).map_err(|source| DefinitionError::Read {
            kind: KIND,
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&source, &path.display().to_string())
    }

    /// A task from TOML text. `file` names it in messages, and the task's own files are relative to its folder. Line ends of
    /// Windows are read as `\n`, so that they do not get into prompts.
    ///
    /// # Errors
    /// [`DefinitionError::Invalid`] with all problems.
    pub fn parse(source: &str, file: &str) -> Result<Self, DefinitionError> {
        let source = source.replace("\r\n", "\n");
        compile(&source, file)
            .map_err(|problems| DefinitionError::Invalid(Box::new(InvalidToml::new(file, &source, problems))))
    }
}
