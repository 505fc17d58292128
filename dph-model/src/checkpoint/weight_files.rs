//! The weight files of a directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dph_core::text_file::read_text;
use serde::Deserialize;

use super::{CheckpointError, INDEX_FILE, WEIGHTS_FILE};

/// Formats of weight files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Safetensors,
    Pytorch,
}

/// The names of weight files, in the order of the search.
const SINGLE: [(&str, Format); 4] = [
    (WEIGHTS_FILE, Format::Safetensors),
    ("pytorch_model.bin", Format::Pytorch),
    ("pytorch_model.pt", Format::Pytorch),
    ("model.pt", Format::Pytorch),
];
/// The names of index files, in the order of the search.
const INDICES: [(&str, Format); 2] =
    [(INDEX_FILE, Format::Safetensors), ("pytorch_model.bin.index.json", Format::Pytorch)];

/// The weight files of a directory: the single one, or the shards that the index names. Safetensors are preferred to
/// pickles.
pub(crate) fn weight_files(dir: &Path) -> Result<(Format, Vec<PathBuf>), CheckpointError> {
    if !dir.is_dir() {
        return Err(CheckpointError::NotADirectory { path: dir.into() });
    }
    for format in [Format::Safetensors, Format::Pytorch] {
        let there = |names: &[(&str, Format)]| {
            let of_format = names.iter().filter(|(_, other)| *other == format);
            of_format.map(|(name, _)| dir.join(name)).find(|path| path.exists())
        };
        if let Some(path) = there(&SINGLE) {
            return Ok((format, vec![path]));
        }
        if let Some(index) = there(&INDICES) {
            return Ok((format, shards(dir, &index)?));
        }
    }
    Err(CheckpointError::NotFound {
        path: dir.join(WEIGHTS_FILE),
        remedy: format!(
            "a model directory holds {WEIGHTS_FILE}, or {INDEX_FILE} and the shards it names, or the same as pytorch_model.bin"
        ),
    })
}

/// The names in an index, each once.
pub(crate) fn shard_names(index: &Path, text: &str) -> Result<Vec<String>, CheckpointError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let wrong = |problem: String| CheckpointError::Index { path: index.into(), problem };
    let Index { weight_map } = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let mut names: Vec<_> = weight_map.into_values().collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Err(wrong("`weight_map` is empty".into()));
    }
    // A shard is in the directory of the index. Other paths are rejected.
    match names.iter().find(|name| Path::new(name).file_name().is_none_or(|file| file != name.as_str())) {
        Some(name) => Err(wrong(format!("`{name}` is not the name of a file beside the index"))),
        None => Ok(names),
    }
}

fn shards(dir: &Path, index: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    CheckpointError::check_pointer(index)?;
    let text = read_text(index).map_err(|source| CheckpointError::Io { path: index.into(), source })?;
    let file = index.file_name().unwrap_or_default().to_string_lossy().into_owned();
    shard_names(index, &text)?
        .into_iter()
        .map(|name| {
            let path = dir.join(name);
            match path.exists() {
                true => Ok(path),
                false => Err(CheckpointError::NotFound {
                    path,
                    remedy: format!("{file} names it; fetch the missing shard"),
                }),
            }
        })
        .collect()
}
