//! [`BackboneReference`]: the model that a head was trained on, for exports that do not contain it.

use std::path::{Component, Path, PathBuf};

use dph_core::{PreferenceHead, PreferenceHeadConfig};
use dph_model::ModelFiles;
use dph_model::checkpoint::Precision;
use serde::{Deserialize, Serialize};

use crate::file_error::FileError;
use crate::model::backbone_sizes::BackboneSizes;
use crate::model::error::ModelError;
use crate::model::files::{BACKBONE_FILE, MANIFEST_FILE};
use crate::model::json_file;

/// The frozen backbone of a head, by path and content hash: the contents of `backbone.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackboneReference {
    /// The backbone's path: absolute, or relative to the directory of the export.
    pub path: PathBuf,
    /// Its content hash at the time of training, see [`dph_model::content_hash`].
    pub hash: String,
    /// The precision in which it was loaded, see [`LoadOptions::precision`](dph_model::LoadOptions::precision).
    #[serde(default, skip_serializing_if = "is_default")]
    pub precision: Precision,
    /// Its family and sizes; `None` in exports of earlier versions, or without a configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<BackboneSizes>,
}

impl BackboneReference {
    /// A reference from the export in `dir` to the model in `backbone`.
    ///
    /// The path is relative if the backbone is in the same run (beside the export) or in the same sweep, so that the run or the
    /// sweep can be moved as a whole. Otherwise it is absolute.
    ///
    /// # Errors
    /// A directory that does not exist.
    pub fn new(dir: &Path, backbone: &Path, hash: impl Into<String>) -> Result<Self, ModelError> {
        let canonical = |path: &Path| {
            path.canonicalize().map_err(|source| FileError::Io { path: path.to_owned(), source })
        };
        let (dir, backbone) = (canonical(dir)?, canonical(backbone)?);
        let model = ModelFiles::open(&backbone).and_then(|files| BackboneSizes::read(&files)).ok();
        let path = relative(&dir, &backbone).unwrap_or(backbone);
        Ok(Self { path, hash: hash.into(), precision: Precision::default(), model })
    }

    /// The same reference with another precision.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The reference in an export, or `None` where the directory has none.
    ///
    /// # Errors
    /// A file that cannot be read or is no reference.
    pub fn load(dir: &Path) -> Result<Option<Self>, ModelError> {
        Ok(json_file::load(dir.join(BACKBONE_FILE))?)
    }

    /// Writes the reference into the export in `dir`, atomically.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), ModelError> {
        Ok(json_file::save(dir.join(BACKBONE_FILE), self, "\n")?)
    }

    /// The backbone's path, given the directory of the export.
    pub fn resolve(&self, dir: &Path) -> PathBuf {
        // `dir` may be reached by a symbolic link; a leading `..` starts from its real place.
        let dir = match self.path.components().next() {
            Some(Component::ParentDir) => dir.canonicalize().unwrap_or_else(|_| dir.to_owned()),
            _ => dir.to_owned(),
        };
        dir.join(&self.path)
    }
}

/// How many folders above an export a sweep may be: `<sweep>/<run>/<export>`, `<sweep>/shared/<piece>/<export>`.
const SWEEP_DEPTH: usize = 3;

/// The relative path from an export to a backbone in the same run or sweep. A sweep is recognised by its manifest.
fn relative(export: &Path, backbone: &Path) -> Option<PathBuf> {
    let above = export.ancestors().enumerate().skip(1).take(SWEEP_DEPTH);
    let mut movable =
        above.filter(|(up, dir)| dir.parent().is_some() && (*up == 1 || dir.join(MANIFEST_FILE).is_file()));
    movable.find_map(|(up, dir)| {
        let inside = backbone.strip_prefix(dir).ok()?;
        Some((0..up).map(|_| "..").collect::<PathBuf>().join(inside))
    })
}

fn is_default(precision: &Precision) -> bool {
    *precision == Precision::default()
}

/// Writes the export of a head that was trained on a frozen backbone into a directory that exists: the head, then a reference to
/// the backbone. Every file is written atomically.
///
/// # Errors
/// A file that cannot be written.
pub fn export_head(
    dir: &Path,
    head: &PreferenceHead,
    config: &PreferenceHeadConfig,
    reference: &BackboneReference,
) -> Result<(), ModelError> {
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

    #[test]
    fn a_backbone_that_runs_of_a_sweep_share_moves_with_the_sweep() {
        let place = tempfile::tempdir().unwrap();
        let sweep = place.path().join("sweep");
        for dir in ["sweep/form=a/dph", "sweep/shared/sft-1/sft", "sweep/shared/dph-2/dph"] {
            std::fs::create_dir_all(place.path().join(dir)).unwrap();
        }
        let backbone = sweep.join("shared/sft-1/sft");
        let path = |export: &str| BackboneReference::new(&sweep.join(export), &backbone, "h").unwrap().path;
        assert_eq!(path("form=a/dph"), backbone.canonicalize().unwrap());

        std::fs::write(sweep.join(MANIFEST_FILE), "{}").unwrap();
        assert_eq!(path("form=a/dph"), Path::new("../../shared/sft-1/sft"));
        assert_eq!(path("shared/dph-2/dph"), Path::new("../../../shared/sft-1/sft"));
        let reference = BackboneReference::new(&sweep.join("form=a/dph"), &backbone, "h").unwrap();
        assert!(reference.resolve(&sweep.join("form=a/dph")).is_dir());
    }
}
