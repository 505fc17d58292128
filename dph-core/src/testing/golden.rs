//! The directory of golden vectors: where it is, and what it lacks.
//!
//! It is the one named by `DPH_GOLDEN`, relative to the workspace; without that, `shared/golden` beside the workspace;
//! without that too, the compact copy in `dph-core/tests/golden`, so that a clone alone proves parity. Nothing may be
//! lacking in the latter two, but for what the compact copy [leaves out](LEFT_OUT).

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::say::say;

/// Files that the compact copy leaves out, by how their names begin.
const LEFT_OUT: &[&str] = &[
    "adapters",
    "chat/",
    "formatter: examples of MMLU",
    "hf/llama_gqa_untied",
    "hf: an encoder",
    "losses/extended",
    "poolers/main",
    "poolers/new_pooler",
    "reward_models",
];

/// A directory of golden vectors.
pub struct Golden {
    /// The directory.
    pub folder: PathBuf,
    /// Whether a section that lacks is a failure.
    pub complete: bool,
    /// Whether it is the compact copy.
    pub compact: bool,
}

impl Golden {
    /// Finds the directory and says so on stderr where it is only the compact copy.
    ///
    /// # Panics
    ///
    /// If `DPH_GOLDEN` names no directory.
    pub fn open() -> Self {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = own.parent().unwrap();
        if let Some(folder) = std::env::var_os("DPH_GOLDEN") {
            // Tests run in the folders of their crates, whoever sets the variable sits in that of the workspace.
            let folder = workspace.join(folder);
            assert!(folder.is_dir(), "DPH_GOLDEN: {} is not a directory", folder.display());
            return Self { folder, complete: false, compact: false };
        }
        let shared = workspace.join("../shared/golden");
        if shared.is_dir() {
            return Self { folder: shared, complete: true, compact: false };
        }
        let compact = own.join("tests/golden");
        say(&format!(
            "GOLDEN: only the compact vectors in {} are tested; its README.md names what is left out. DPH_GOLDEN=DIR tests others",
            compact.display()
        ));
        Self { folder: compact, complete: true, compact: true }
    }

    /// The json file of a section, or `None` where the directory lacks it, which is said on stderr.
    ///
    /// # Panics
    ///
    /// If it lacks in a directory that `DPH_GOLDEN` does not name.
    pub fn json(&self, file: &str) -> Option<Value> {
        let bytes = std::fs::read(self.path(file)?).unwrap();
        Some(serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{file}: {error}")))
    }

    /// The path of a file or folder, under the same conditions as [`json`](Self::json).
    pub fn path(&self, file: &str) -> Option<PathBuf> {
        let path = self.folder.join(file);
        if path.exists() {
            return Some(path);
        }
        self.lacks(file);
        None
    }

    /// The folders in a section, by name, which may be none in a directory that `DPH_GOLDEN` names.
    pub fn folders(&self, section: &str) -> Vec<PathBuf> {
        let Some(section) = self.path(section) else { return Vec::new() };
        let mut folders: Vec<PathBuf> =
            std::fs::read_dir(section).unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.retain(|folder| folder.is_dir());
        folders.sort();
        folders
    }

    /// Says that something is not in the directory.
    ///
    /// # Panics
    ///
    /// If `DPH_GOLDEN` does not name the directory, and it is not the compact copy, which leaves this out.
    pub fn lacks(&self, what: &str) {
        let folder = self.folder.display();
        let left_out = self.compact && LEFT_OUT.iter().any(|start| what.starts_with(start));
        assert!(!self.complete || left_out, "{folder} lacks {what}; it must not");
        say(&format!("GOLDEN: {folder} lacks {what}: left out"));
    }
}

/// The elements of a list in a golden file.
///
/// # Panics
///
/// If it is no list, or empty: a test that loops over nothing proves nothing.
#[track_caller]
pub fn list(value: &Value) -> &[Value] {
    match value.as_array() {
        Some(list) if !list.is_empty() => list,
        _ => panic!("{value} is no list with elements"),
    }
}

/// The entries of an object in a golden file, such as its cases by their names.
///
/// # Panics
///
/// If it is no object, or empty: a test that loops over nothing proves nothing.
#[track_caller]
pub fn entries(value: &Value) -> &Map<String, Value> {
    match value.as_object() {
        Some(entries) if !entries.is_empty() => entries,
        _ => panic!("{value} is no object with entries"),
    }
}
