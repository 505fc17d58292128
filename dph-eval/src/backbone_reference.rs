//! [`BackboneReference`]: which model a head was trained on, where the export does not hold that model itself.

use std::io;
use std::path::{Component, Path, PathBuf};

use dph_core::{PreferenceHead, PreferenceHeadConfig, write_atomically};
use serde::{Deserialize, Serialize};

use crate::model_error::ModelError;

/// File name of the reference in an export.
pub const BACKBONE_FILE: &str = "backbone.json";

/// The frozen backbone of a head by its place and its content: the contents of `backbone.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackboneReference {
    /// The backbone's directory; relative to that of the export, or absolute.
    pub path: PathBuf,
    /// Its content hash when the head was trained, see [`dph_model::content_hash`].
    pub hash: String,
}

impl BackboneReference {
    /// A reference from the export in `dir` to the model in `backbone`.
    ///
    /// A backbone in the same run (beside the export) is referred to by a relative path, so that the run can be moved as
    /// a whole; any other by its absolute path.
    ///
    /// # Errors
    /// A directory that does not exist.
    pub fn new(dir: &Path, backbone: &Path, hash: impl Into<String>) -> Result<Self, ModelError> {
        let canonical = |path: &Path| {
            path.canonicalize().map_err(|source| ModelError::Io { path: path.to_owned(), source })
        };
        let (dir, backbone) = (canonical(dir)?, canonical(backbone)?);
        let run = dir.parent().filter(|run| run.parent().is_some());
        let path = match run.and_then(|run| backbone.strip_prefix(run).ok()) {
            Some(inside) => Path::new("..").join(inside),
            None => backbone,
        };
        Ok(Self { path, hash: hash.into() })
    }

    /// The reference in an export, or `None` where the directory has none.
    ///
    /// # Errors
    /// A file that cannot be read or is no reference.
    pub fn load(dir: &Path) -> Result<Option<Self>, ModelError> {
        let path = dir.join(BACKBONE_FILE);
        match std::fs::read(&path) {
            Ok(json) => {
                serde_json::from_slice(&json).map(Some).map_err(|source| ModelError::Json { path, source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ModelError::Io { path, source }),
        }
    }

    /// Writes the reference into the export in `dir`, atomically.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), ModelError> {
        let path = dir.join(BACKBONE_FILE);
        let json = serde_json::to_vec_pretty(self)
            .map_err(|source| ModelError::Json { path: path.clone(), source })?;
        write_atomically(&path, &[json, b"\n".to_vec()].concat())
            .map_err(|source| ModelError::Io { path, source })
    }

    /// The backbone's directory, for the export in `dir`.
    pub fn resolve(&self, dir: &Path) -> PathBuf {
        // `dir` may be the end of a symbolic link, so a leading `..` is taken from where it really is.
        let dir = match self.path.components().next() {
            Some(Component::ParentDir) => dir.canonicalize().unwrap_or_else(|_| dir.to_owned()),
            _ => dir.to_owned(),
        };
        dir.join(&self.path)
    }
}

/// Writes the export of a head that was trained on a frozen backbone: the head, and a reference to the model in
/// `backbone_dir` whose content hash is `hash`. The directory is made if need be.
///
/// Every file is written atomically, the reference last.
///
/// # Errors
/// A file that cannot be written, a backbone that is not there.
pub fn export_head(
    dir: &Path,
    head: &PreferenceHead,
    config: &PreferenceHeadConfig,
    backbone_dir: &Path,
    hash: &str,
) -> Result<(), ModelError> {
    std::fs::create_dir_all(dir).map_err(|source| ModelError::Io { path: dir.to_owned(), source })?;
    let reference = BackboneReference::new(dir, backbone_dir, hash)?;
    head.save(config, dir)?;
    reference.save(dir)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_backbone_of_the_same_run_moves_with_it() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path().join("run");
        for dir in ["run/dph", "run/sft", "models/other"] {
            std::fs::create_dir_all(place.path().join(dir)).unwrap();
        }
        let inside = BackboneReference::new(&run.join("dph"), &run.join("sft"), "h").unwrap();
        assert_eq!(inside.path, Path::new("../sft"));
        inside.save(&run.join("dph")).unwrap();

        let moved = place.path().join("moved");
        std::fs::rename(&run, &moved).unwrap();
        let read = BackboneReference::load(&moved.join("dph")).unwrap().unwrap();
        assert_eq!(read, inside);
        assert!(read.resolve(&moved.join("dph")).is_dir());

        let outside =
            BackboneReference::new(&moved.join("dph"), &place.path().join("models/other"), "h").unwrap();
        assert_eq!(outside.path, place.path().join("models/other").canonicalize().unwrap());
        assert_eq!(BackboneReference::load(&moved.join("sft")).unwrap(), None);
    }
}
