//! Where the tests find golden vectors, real data and tokenizers.
#![allow(dead_code, unused_imports, clippy::unwrap_used)]

#[path = "../../../dph-core/tests/support/golden_dir.rs"]
mod golden_dir;

use std::io::Write as _;
use std::path::{Path, PathBuf};

pub use golden_dir::{Golden, say};

/// Prints past the test harness, which would keep the output of a test that passes to itself.
macro_rules! loud {
    ($($argument:tt)*) => {
        drop(std::io::stderr().write_all(format!("{}\n", format_args!($($argument)*)).as_bytes()))
    };
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
