//! [`TaskModels`]: the models of a sweep over tasks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::glue_files::labels_of;
use crate::model::error::ModelError;
use crate::model::manifest::Manifest;

/// The models of a sweep over tasks, each of which was trained on one task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskModels(BTreeMap<String, PathBuf>);

impl TaskModels {
    /// The models of the directory of all tasks, `task=all` in that of a sweep; `None` for any other directory.
    ///
    /// # Errors
    /// A manifest that cannot be read.
    pub fn load(dir: &Path) -> Result<Option<Self>, ModelError> {
        let models = Manifest::load(dir)?.map(|manifest| manifest.models).unwrap_or_default();
        let models: BTreeMap<String, PathBuf> =
            models.into_iter().map(|(task, path)| (task, dir.join(path))).collect();
        Ok((!models.is_empty()).then_some(Self(models)))
    }

    /// The run of the model that answers a task. The diagnostic set of GLUE is answered by the model of MNLI.
    pub fn of(&self, task: &str) -> Option<&Path> {
        self.0.get(task).or_else(|| self.0.get(labels_of(task)?)).map(PathBuf::as_path)
    }

    /// The tasks that have a model, by name.
    pub fn tasks(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
