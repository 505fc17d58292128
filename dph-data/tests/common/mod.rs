//! Where the tests find tokenizers and write files.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

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
