//! Where the tests find golden vectors, real data and tokenizers.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

/// The directory of golden vectors.
pub struct Golden {
    pub folder: PathBuf,
    /// Whether something missing is a failure.
    pub complete: bool,
}

impl Golden {
    /// `DPH_GOLDEN`, or the shared directory, or the compact copy in this repository.
    pub fn find() -> Self {
        if let Some(folder) = std::env::var_os("DPH_GOLDEN") {
            return Self { folder: folder.into(), complete: false };
        }
        let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/golden");
        if shared.is_dir() {
            return Self { folder: shared, complete: true };
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dph-core/tests/golden");
        eprintln!("GOLDEN: no shared vectors here; only the compact copy in {} is tried", folder.display());
        Self { folder, complete: false }
    }

    /// A JSON file of the directory; `None`, loudly, where it is missing.
    pub fn json(&self, file: &str) -> Option<Json> {
        let path = self.folder.join(file);
        match std::fs::read(&path) {
            Ok(bytes) => {
                Some(serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{file}: {error}")))
            }
            Err(_) => {
                self.lacks(file);
                None
            }
        }
    }

    /// Reports something that is not in the directory.
    pub fn lacks(&self, what: &str) {
        eprintln!("GOLDEN: {} lacks {what}: left out", self.folder.display());
        assert!(!self.complete, "the default golden directory lacks {what}");
    }
}

/// The root of the real data sets; `None`, loudly, where it is missing. In CI it must be there.
pub fn data_root() -> Option<PathBuf> {
    let root = std::env::var_os("DPH_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    if root.is_dir() {
        return Some(root);
    }
    eprintln!("REAL DATA: {} is not there; set DPH_DATA. The test is left out", root.display());
    assert!(std::env::var_os("CI").is_none(), "in CI the real data must be there");
    None
}
