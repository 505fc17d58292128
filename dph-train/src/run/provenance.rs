//! [`Provenance`]: the data that the artifacts of a run were made of.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::atomic::write_atomically;
use crate::data::record::DataRecord;
use crate::error::TrainError;

/// Name of the file. No stage can have this name, since the names of stages have no dots.
const FILE: &str = "provenance.json";

/// The artifacts of a run directory by name: stages, `base`, `evaluations/<stage>` and `results.json`. It is the content of
/// `provenance.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Provenance(BTreeMap<String, Artifact>);

/// An artifact of a run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Artifact {
    /// Whether it is complete.
    pub finished: bool,
    /// The data that it is made of; `None` if an earlier version made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataRecord>,
}

impl Provenance {
    /// Reads the file in a run directory. Earlier versions wrote none: then every directory in the run is a finished artifact.
    pub fn load(dir: &Path) -> Result<Self, TrainError> {
        let path = dir.join(FILE);
        match fs::read(&path) {
            Ok(json) => serde_json::from_slice(&json).map_err(|error| TrainError::damaged(&path, &error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::of_earlier_version(dir),
            Err(source) => Err(TrainError::io(&path, source)),
        }
    }

    /// The artifact with this name, if it was begun.
    pub fn get(&self, name: &str) -> Option<&Artifact> {
        self.0.get(name)
    }

    /// Stores an artifact and writes the file.
    pub fn set(&mut self, dir: &Path, name: &str, artifact: Artifact) -> Result<(), TrainError> {
        self.0.insert(name.into(), artifact);
        let path = dir.join(FILE);
        let json = serde_json::to_string_pretty(self)
            .map_err(|error| TrainError::io(&path, io::Error::new(io::ErrorKind::InvalidData, error)))?;
        write_atomically(&path, format!("{json}\n").as_bytes())
    }

    fn of_earlier_version(dir: &Path) -> Result<Self, TrainError> {
        let mut artifacts = BTreeMap::new();
        for parent in ["", "evaluations/"] {
            let path = dir.join(parent);
            if !path.is_dir() {
                continue;
            }
            for entry in fs::read_dir(&path).map_err(|source| TrainError::io(&path, source))?.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_artifact =
                    !name.ends_with(".partial") && !["checkpoints", "evaluations"].contains(&&*name);
                if entry.path().is_dir() && is_artifact {
                    artifacts.insert(format!("{parent}{name}"), Artifact { finished: true, data: None });
                }
            }
        }
        Ok(Self(artifacts))
    }
}
