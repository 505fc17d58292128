//! The weights of a model directory, memory-mapped.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::tensor::{Metadata, SafeTensors, TensorInfo};
use serde::Deserialize;

use super::{CheckpointError, INDEX_FILE, WEIGHTS_FILE};

/// All weights of a model directory: the files, and which of them holds which tensor.
pub(super) struct Shards {
    files: Vec<Shard>,
    tensors: BTreeMap<String, usize>,
}

/// One mapped file with its parsed header.
struct Shard {
    map: Mmap,
    /// First byte of the data.
    data: usize,
    metadata: Metadata,
}

impl Shards {
    /// Opens the weights of a directory.
    pub fn open(dir: &Path) -> Result<Self, CheckpointError> {
        let mut shards = Self { files: Vec::new(), tensors: BTreeMap::new() };
        for path in weight_files(dir)? {
            let shard = Shard::open(&path)?;
            for name in shard.metadata.tensors().into_keys() {
                shards.tensors.insert(name, shards.files.len());
            }
            shards.files.push(shard);
        }
        Ok(shards)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Type, shape and bytes of a tensor.
    pub fn get(&self, name: &str) -> Option<(&TensorInfo, &[u8])> {
        let shard = &self.files[*self.tensors.get(name)?];
        let info = shard.metadata.info(name)?;
        let (start, end) = info.data_offsets;
        Some((info, shard.map.get(shard.data + start..shard.data + end)?))
    }
}

impl Shard {
    fn open(path: &Path) -> Result<Self, CheckpointError> {
        let io = |source| CheckpointError::Io { path: path.into(), source };
        let file = File::open(path).map_err(io)?;
        let bytes = file.metadata().map_err(io)?.len();
        let damaged = |problem: String| CheckpointError::Damaged { path: path.into(), bytes, problem };
        if bytes == 0 {
            return Err(damaged("the file is empty".into()));
        }
        // SAFETY: nobody can promise that no other process changes the file while it is mapped. Writers in this
        // workspace replace files by renaming, which leaves the mapped one as it was.
        let map = unsafe { Mmap::map(&file) }.map_err(io)?;
        let (header, metadata) =
            SafeTensors::read_metadata(&map).map_err(|error| damaged(error.to_string()))?;
        Ok(Self { map, data: header + size_of::<u64>(), metadata })
    }
}

/// The weight files of a directory: the single one, or the shards that the index names.
pub(super) fn weight_files(dir: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    if !dir.is_dir() {
        return Err(CheckpointError::NotADirectory { path: dir.into() });
    }
    let (single, index) = (dir.join(WEIGHTS_FILE), dir.join(INDEX_FILE));
    if single.exists() {
        return Ok(vec![single]);
    }
    if !index.exists() {
        return Err(CheckpointError::NotFound {
            path: single,
            remedy: format!(
                "a model directory holds {WEIGHTS_FILE}, or {INDEX_FILE} and the shards it names"
            ),
        });
    }

    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let text = std::fs::read_to_string(&index)
        .map_err(|source| CheckpointError::Io { path: index.clone(), source })?;
    let wrong = |problem: String| CheckpointError::Index { path: index.clone(), problem };
    let Index { weight_map } = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let mut names: Vec<_> = weight_map.into_values().collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Err(wrong("`weight_map` is empty".into()));
    }
    names
        .into_iter()
        .map(|name| {
            // A shard lies beside the index: a path that leads elsewhere is not one.
            if Path::new(&name).file_name().is_none_or(|file| file != name.as_str()) {
                return Err(wrong(format!("`{name}` is not the name of a file beside the index")));
            }
            let path = dir.join(name);
            match path.exists() {
                true => Ok(path),
                false => Err(CheckpointError::NotFound {
                    path,
                    remedy: format!("{INDEX_FILE} names it; fetch the missing shard"),
                }),
            }
        })
        .collect()
}
