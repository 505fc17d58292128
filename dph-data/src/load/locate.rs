//! Which files hold a split of a task.

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
    /// The files that hold a split, in the order in which they are read; none for a synthetic task.
    ///
    /// A task that names its files gets these. Where `root` is itself a file, that is it. Otherwise, below `root`, the
    /// first that exists: by folder, then by name, in the task's order, then by extension in the order jsonl,
    /// json, csv, tsv, parquet. Of each name, `NAME.EXTENSION` comes before the shards
    /// `NAME-00000-of-00003.EXTENSION`, which are taken together, in order, and only if complete.
    ///
    /// # Errors
    /// [`SplitNotFound`], which says what was looked for and what is there.
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

    /// The splits that a task has below a data root, of those that it knows.
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

    /// The split whose rows a file holds, going by its name: `dev.jsonl` and `validation-00000-of-00002.jsonl` hold
    /// `validation`. `None` where the task knows no split by that name.
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

/// The splits that a task with these keys knows; some may be there twice.
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

/// All shards of a file, if there are any and none is missing.
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
