//! The cache that is shared by all tools for the hub: `models--owner--name/{refs,blobs,snapshots}`.

use std::path::{Path, PathBuf};

use dph_core::tokenizer_files::is_vocabulary;

use super::name::HubName;
use crate::checkpoint::file_names::{CONFIG_FILE, TOKENIZER_FILE};
use crate::checkpoint::gguf::gguf_models;
use crate::checkpoint::weight_files::weight_files;

/// A model in the cache.
#[derive(Debug)]
pub(super) struct Cached {
    /// Its folder, or its GGUF file.
    pub path: PathBuf,
    /// Whether the tokenizer is in the cache.
    pub complete: bool,
}

/// The model of a repository, if its configuration and all its weights are in the cache.
pub(super) fn model(cache: &Path, name: &HubName) -> Option<Cached> {
    let folder = folder(cache, name);
    let reference = std::fs::read_to_string(folder.join("refs").join(&name.revision));
    // The revision may be a commit.
    let commit = reference.unwrap_or_else(|_| name.revision.clone());
    let commit = commit.trim();
    if commit.is_empty() || !commit.chars().all(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    let snapshot = folder.join("snapshots").join(commit);
    if snapshot.join(CONFIG_FILE).is_file() && weight_files(&snapshot).is_ok() {
        let has = |name: &str| snapshot.join(name).is_file();
        let complete = has(TOKENIZER_FILE) || is_vocabulary(has);
        return Some(Cached { path: snapshot, complete });
    }
    match &gguf_models(&snapshot)[..] {
        [path] => Some(Cached { path: path.clone(), complete: true }),
        _ => None,
    }
}

/// The snapshots in a folder of the cache, `models--owner--name`; none in any other.
pub(in crate::checkpoint) fn snapshots(folder: &Path) -> Vec<PathBuf> {
    if folder.join(CONFIG_FILE).exists() || !["blobs", "refs"].iter().any(|part| folder.join(part).is_dir()) {
        return Vec::new();
    }
    let entries = std::fs::read_dir(folder.join("snapshots")).into_iter().flatten().flatten();
    let mut snapshots: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    snapshots.sort();
    snapshots
}

fn folder(cache: &Path, name: &HubName) -> PathBuf {
    cache.join(format!("models--{}", name.repository.replace('/', "--")))
}
