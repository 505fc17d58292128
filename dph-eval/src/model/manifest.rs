//! [`Manifest`]: what a run or a sweep was made of.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::model::error::ModelError;
use crate::model::files::MANIFEST_FILE;
use crate::model::json_file;

/// What a run or a sweep was made of: the contents of `manifest.json`.
///
/// A run has `seed`, `device`, `model` and `stages`, a sweep has `variants`, and the directory of all tasks of a sweep has `models`. Missing keys are read as empty, unknown ones are
/// ignored.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the program.
    #[serde(default)]
    pub version: String,
    /// Revision of the git repository that the program was started in, where there is one.
    #[serde(default)]
    pub git_revision: Option<String>,
    /// Run: the seed of the experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Run: the device that it ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Run: the content hash of the language model that the first stage started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Run: the stages in their order, each as the path from the run to its export.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<String>,
    /// Sweep: the variants, each a run in a folder of this name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<String>,
    /// All tasks of a sweep over tasks: the path from the directory to the run of each task, by the name of the task.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, String>,
}

impl Manifest {
    /// The manifest in a directory, or `None` where it has none.
    ///
    /// # Errors
    /// A file that cannot be read or is no manifest.
    pub fn load(dir: &Path) -> Result<Option<Self>, ModelError> {
        Ok(json_file::load(dir.join(MANIFEST_FILE))?)
    }

    /// Writes `manifest.json` into a directory that exists, atomically.
    ///
    /// # Errors
    /// The file cannot be written; an old one is then still there.
    pub fn save(&self, dir: &Path) -> Result<(), ModelError> {
        Ok(json_file::save(dir.join(MANIFEST_FILE), self, "")?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn manifests_of_earlier_versions_are_read_and_written_as_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let run = r#"{
  "version": "0.1.0",
  "git_revision": null,
  "seed": 42,
  "device": "flex",
  "model": "3f",
  "stages": [
    "pretrain",
    "../shared/sft-1/sft"
  ]
}"#;
        let sweep = r#"{
  "version": "0.1.0",
  "git_revision": "749c",
  "variants": [
    "form=a"
  ]
}"#;
        assert_eq!(Manifest::load(dir.path()).unwrap(), None);
        for text in [run, sweep] {
            let path = dir.path().join(MANIFEST_FILE);
            std::fs::write(&path, text).unwrap();
            let manifest = Manifest::load(dir.path()).unwrap().unwrap();
            assert_eq!(manifest.stages.is_empty(), !manifest.variants.is_empty());
            manifest.save(dir.path()).unwrap();
            assert_eq!(std::fs::read_to_string(path).unwrap(), text);
        }
    }
}
