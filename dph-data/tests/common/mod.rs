//! Where the tests find golden vectors, real data and tokenizers.
#![allow(dead_code, clippy::unwrap_used)]

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

/// Prints past the test harness, which would keep the output of a test that passes to itself.
macro_rules! loud {
    ($($argument:tt)*) => {
        drop(std::io::stderr().write_all(format!("{}\n", format_args!($($argument)*)).as_bytes()))
    };
}

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
        loud!("GOLDEN: no shared vectors here; only the compact copy in {} is tried", folder.display());
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
        loud!("GOLDEN: {} lacks {what}: left out", self.folder.display());
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
    loud!("REAL DATA: {} is not there; set DPH_DATA. The test is left out", root.display());
    assert!(std::env::var_os("CI").is_none(), "in CI the real data must be there");
    None
}

/// A folder with the files of one of the real tokenizers, unpacked where necessary.
pub fn tokenizer_folder(name: &str) -> Option<tempfile::TempDir> {
    let source = data_root()?.join("tokenizers").join(name);
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        match file.strip_suffix(".gz") {
            Some(unpacked) => {
                let mut reader = flate2::read::GzDecoder::new(std::fs::File::open(&path).unwrap());
                let mut writer = std::fs::File::create(folder.path().join(unpacked)).unwrap();
                std::io::copy(&mut reader, &mut writer).unwrap();
            }
            None => drop(std::fs::copy(&path, folder.path().join(file)).unwrap()),
        }
    }
    Some(folder)
}

/// A folder with the tokenizer of the little world: ChatML, needs nothing.
pub fn world_tokenizer() -> (tempfile::TempDir, dph_data::ChatTokenizer) {
    let folder = tempfile::tempdir().unwrap();
    dph_data::World::default().write_tokenizer(folder.path()).unwrap();
    let tokenizer = dph_data::ChatTokenizer::from_dir(folder.path()).unwrap();
    (folder, tokenizer)
}

/// Writes a file and gives its path.
pub fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    path
}
