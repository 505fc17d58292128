//! Locates the files of a split.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::rows::EXTENSIONS;
use crate::synthetic::World;
use crate::task::{Source, Task};

/// No file holds the split.
#[derive(Debug, thiserror::Error)]
#[error(
    "found no rows of `{task}`, split `{split}`.\n  looked for: {}\n  {}",
    looked_for.join(", "),
    if present.is_empty() { "none of these folders exists; set the data root with --data or DPH_DATA".to_owned() }
    else { format!("there is: {}", present.join(", ")) }
)]
pub struct SplitNotFound {
    /// The task.
    pub task: String,
    /// The split asked for.
    pub split: String,
    /// The names that were looked for, with their folders.
    pub looked_for: Vec<String>,
    /// The files that are in these folders.
    pub present: Vec<String>,
}

impl Task {
    /// The files that hold a split, in reading order; empty for a synthetic task.
    ///
    /// The key `files` of the task has priority. If `root` is a file, that file is used. Otherwise the first match below
    /// `root` is used, by folder, then by name (both in the order of the task), then by extension in the order jsonl, json,
    /// csv, tsv, parquet, txt. For each name, `NAME.EXTENSION` has priority over the shards `NAME-00000-of-00003.EXTENSION`,
    /// which are used together, in order, and only if none is missing.
    ///
    /// # Errors
    /// [`SplitNotFound`], which lists the names that were searched for and the files that exist.
    pub fn locate(&self, root: &Path, split: &str) -> Result<Vec<PathBuf>, SplitNotFound> {
        let Source::Files { folders, splits, files } = &self.source else { return Ok(Vec::new()) };
        if let Some(files) = files.get(split) {
            return Ok(files.clone());
        }
        if root.is_file() {
            return Ok(vec![root.to_owned()]);
        }
        let names = names(splits, split);
        for folder in folders.iter().map(|folder| root.join(folder)) {
            for name in &names {
                for extension in EXTENSIONS {
                    let file = folder.join(format!("{name}.{extension}"));
                    if file.is_file() {
                        return Ok(vec![file]);
                    }
                    if let Some(shards) = shards(&folder, name, extension) {
                        return Ok(shards);
                    }
                }
            }
        }
        Err(SplitNotFound {
            task: self.name.clone(),
            split: split.to_owned(),
            looked_for: folders
                .iter()
                .map(|folder| {
                    format!(
                        "{}/{{{}}}.{{{}}}",
                        root.join(folder).display(),
                        names.join(","),
                        EXTENSIONS.join(",")
                    )
                })
                .collect(),
            present: folders.iter().flat_map(|folder| listing(&root.join(folder))).collect(),
        })
    }

    /// The known splits of the task that exist below a data root.
    pub fn splits(&self, root: &Path) -> Vec<String> {
        let Source::Files { splits, files, .. } = &self.source else {
            return World::splits(self.kind).iter().map(|split| (*split).to_owned()).collect();
        };
        let mut found = Vec::new();
        for split in known_splits(splits, files) {
            if !found.contains(&split) && !root.is_file() && self.locate(root, &split).is_ok() {
                found.push(split);
            }
        }
        found
    }

    /// The split that the name of a file stands for: `validation` for `dev.jsonl` and `validation-00000-of-00002.jsonl`.
    /// `None` if no known split of the task has such a file.
    pub fn split_of_file(&self, file: &Path) -> Option<String> {
        let Source::Files { splits, files, .. } = &self.source else { return None };
        let stem = file.file_stem()?.to_str()?;
        let stem = stem
            .split_once("-of-")
            .and_then(|(shard, _)| shard.rsplit_once('-'))
            .map_or(stem, |(stem, _)| stem);
        known_splits(splits, files).find(|split| match files.get(split) {
            Some(files) => files.iter().any(|own| own == file),
            None => names(splits, split).iter().any(|name| name == stem),
        })
    }
}

/// The splits that a task with these keys knows, possibly with duplicates.
fn known_splits<A, B>(
    splits: &BTreeMap<String, A>,
    files: &BTreeMap<String, B>,
) -> impl Iterator<Item = String> {
    let own: Vec<String> = splits.keys().chain(files.keys()).cloned().collect();
    DEFAULT_SPLITS.iter().map(|(split, _)| (*split).to_owned()).chain(own)
}

const DEFAULT_SPLITS: [(&str, &[&str]); 3] =
    [("train", &["train"]), ("validation", &["validation", "valid", "val", "dev"]), ("test", &["test"])];

fn names(splits: &BTreeMap<String, Vec<String>>, split: &str) -> Vec<String> {
    if let Some(names) = splits.get(split) {
        return names.clone();
    }
    match DEFAULT_SPLITS.iter().find(|(known, _)| *known == split) {
        Some((_, names)) => names.iter().map(|name| (*name).to_owned()).collect(),
        None => vec![split.to_owned()],
    }
}

/// The shards of a file; `None` if there are none or one is missing.
fn shards(folder: &Path, name: &str, extension: &str) -> Option<Vec<PathBuf>> {
    let prefix = format!("{name}-");
    let suffix = format!(".{extension}");
    let total = fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let file = entry.file_name();
        let (_, total) = file.to_str()?.strip_prefix(&prefix)?.strip_suffix(&suffix)?.split_once("-of-")?;
        total.parse::<usize>().ok()
    })?;
    let shards: Vec<PathBuf> =
        (0..total).map(|shard| folder.join(format!("{name}-{shard:05}-of-{total:05}.{extension}"))).collect();
    (!shards.is_empty() && shards.iter().all(|shard| shard.is_file())).then_some(shards)
}

fn listing(folder: &Path) -> Vec<String> {
    let mut files: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().display().to_string())
        .collect();
    files.sort();
    files
}
