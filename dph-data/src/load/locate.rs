//! Locates the files of a split.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dph_core::path_kind::PathKind;
use dph_core::terminal::numbers::listed;

use super::saved::{SAVED, is_marker, is_saved};
use super::split_files::{Unclear, entries, folders_named, searched, split_files, split_name};
use super::split_names::{known_splits, names, served_by};
use crate::rows::{EXTENSIONS, FileName, RowsError, check_file};
use crate::synthetic::World;
use crate::task::{Source, Task};

/// Why a split has no files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocateError {
    /// No file holds the split.
    #[error(transparent)]
    NotFound(#[from] SplitNotFound),
    /// Two files or sets of shards hold the split.
    #[error("the split `{split}` of `{task}` is there twice: {} and {}; remove one, or name the right files in the task (key `files`)", both[0], both[1])]
    Ambiguous {
        /// The task.
        task: String,
        /// The split.
        split: String,
        /// The files, or the first files of the sets.
        both: [String; 2],
    },
    /// The shards of the split have two formats.
    #[error("the shards of the split `{split}` of `{task}` have two formats: {} and {}; write all in one format, or name the files in the task (key `files`)", both[0], both[1])]
    Formats {
        /// The task.
        task: String,
        /// The split.
        split: String,
        /// The first files of the formats.
        both: [String; 2],
    },
    /// The number of a shard does not agree with the number of all shards in its name.
    #[error(
        "{}: this name says shard {number} of {of} of the split `{split}` of `{task}`, but {}; rename or remove it, or name the files to use in the \
         task (key `files`)",
        path.display(),
        match of {
            0 => "there is at least one shard".to_owned(),
            1 => "the number of the only shard is 0".to_owned(),
            of => format!("the numbers of {of} shards are 0 to {}", of - 1),
        }
    )]
    ShardBeyond {
        /// The task.
        task: String,
        /// The split.
        split: String,
        /// The file.
        path: PathBuf,
        /// The number of the shard in its name.
        number: usize,
        /// The number of all shards in its name.
        of: usize,
    },
    /// The data root is neither a directory nor a regular file.
    #[error(transparent)]
    Root(#[from] RowsError),
    /// A shard of the split is missing.
    #[error(
        "the split `{split}` of `{task}` is not complete: shard {number}{} is missing, there is {}; fetch it, or name the files to use in the task (key `files`)",
        shards.map_or_else(String::new, |shards| format!(" of {shards} (counted from 0)")),
        there.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    MissingShard {
        /// The task.
        task: String,
        /// The split.
        split: String,
        /// The number of the shard, from 0.
        number: usize,
        /// How many there are by the names of the others, if these say it.
        shards: Option<usize>,
        /// The other shards.
        there: Vec<PathBuf>,
    },
}

/// No file holds the split.
#[derive(Debug, thiserror::Error)]
#[error(
    "found no rows of `{task}`, split `{split}`{}{}{}",
    match &looked_for[..] {
        [] => ": ".to_owned(),
        looked_for => format!(".\n  looked for: {}\n  ", looked_for.join(", ")),
    },
    match (&present[..], &folders[..]) {
        ([], []) => "there is no file".to_owned(),
        ([], folders) => folders.join("; "),
        (present, _) => format!("there is: {}", present.join(", ")),
    },
    hub.as_ref().map_or_else(String::new, |hub| format!("{}{hub}", if looked_for.is_empty() { "; " } else { ".\n  " }))
)]
pub struct SplitNotFound {
    /// The task.
    pub task: String,
    /// The split asked for.
    pub split: String,
    /// The names that were looked for, with their folders; empty if the data root is named as a file and does not exist.
    pub looked_for: Box<[String]>,
    /// The files that are in these folders; what is no regular file is said.
    pub present: Box<[String]>,
    /// Without files, what is wrong with the folders that there are.
    pub folders: Box<[String]>,
    /// What the repository on the hub has of it, if the task names one.
    pub hub: Option<Box<str>>,
}

impl Task {
    /// The files that hold a split, in reading order; empty for a synthetic task.
    ///
    /// The key `files` of the task has priority. If `root` is a file, that file is used. Otherwise the first folder below
    /// `root` and in it the first name that has files is used (both in the order of the task). The files of a name are
    ///
    /// - `NAME.EXTENSION` with the extension jsonl, ndjson, json, csv, tsv, parquet or txt, all but parquet also with `.gz`;
    /// - all shards `NAME-00000-of-00003.EXTENSION`, also with `-HASH` before the extension;
    /// - `NAME/0000.EXTENSION`, `NAME/0001.EXTENSION` and so on, or else all files in `NAME` with one extension.
    ///
    /// They are in the folder itself or in `data` or `default` inside of it. Capitals and small letters are the same.
    ///
    /// # Errors
    /// No file ([`SplitNotFound`] lists the names that were searched for and the files that exist), several sets of files for one
    /// name, shards of several formats, a shard that is missing or has a number beyond that of all, or a root that is a pipe or a link to nothing.
    pub fn locate(&self, root: &Path, split: &str) -> Result<Vec<PathBuf>, LocateError> {
        let Source::Files { folders, splits, files, .. } = &self.source else { return Ok(Vec::new()) };
        if let Some(files) = files.get(split) {
            return Ok(files.clone());
        }
        match PathKind::of(root) {
            PathKind::File => return Ok(vec![root.to_owned()]),
            PathKind::Directory | PathKind::Missing => {}
            _ => check_file(root)?,
        }
        let names = names(splits, split);
        for folder in folders.iter().flat_map(|folder| folders_named(root, folder)) {
            for name in &names {
                match split_files(&folder, name) {
                    Ok(files) if files.is_empty() => {}
                    Ok(files) => return Ok(files),
                    Err(unclear) => return Err(self.unclear(split, unclear)),
                }
            }
        }
        let extensions = EXTENSIONS.map(|(extension, _)| extension).join(",");
        let there: Vec<_> = folders.iter().flat_map(|folder| folders_named(root, folder)).collect();
        Err(LocateError::NotFound(SplitNotFound {
            task: self.name.clone(),
            split: split.to_owned(),
            looked_for: folders
                .iter()
                .filter(|_| root.is_dir() || FileName::parse(root).is_none())
                .map(|folder| {
                    format!("{}/{{{}}}.{{{extensions}}}", root.join(folder).display(), names.join(","))
                })
                .collect(),
            present: there.iter().flat_map(|folder| listing(folder)).collect(),
            folders: match root.is_dir() {
                true => {
                    let all = std::iter::once(root).chain(there.iter().map(PathBuf::as_path));
                    let empty: Vec<String> = all.filter_map(empty).collect();
                    let none = there.is_empty() && empty.is_empty();
                    let none = none.then(|| without_folders(root, folders));
                    empty.into_iter().chain(none).collect()
                }
                false => Box::new([format!(
                    "{} does not exist; name a file of rows, or the root of the data sets (--data, DPH_DATA, or the argument of dph-data validate)",
                    root.display()
                )]),
            },
            hub: self.on_hub(split),
        }))
    }

    /// Why a split has no rows below a data root; `None` if it has some, or if they would be downloaded (below `hf:`).
    pub fn without_rows(&self, root: &Path, split: &str) -> Option<SplitNotFound> {
        if root.to_string_lossy().starts_with("hf:") {
            return None;
        }
        match self.locate(root, split) {
            Err(LocateError::NotFound(missing)) => Some(missing),
            _ => None,
        }
    }

    /// What the repository of the task has of a split, in words.
    fn on_hub(&self, split: &str) -> Option<Box<str>> {
        let hub = self.hub.as_ref()?;
        let said = match served_by(self, split) {
            Some(served) => {
                format!("`dph-data fetch` with --split {served} downloads it from {}", hub.repository)
            }
            None => format!("{} has no such split; it has {}", hub.repository, hub.splits().join(", ")),
        };
        Some(said.into())
    }

    fn unclear(&self, split: &str, unclear: Unclear) -> LocateError {
        let (task, split) = (self.name.clone(), split.to_owned());
        match unclear {
            Unclear::Several(both) => LocateError::Ambiguous { task, split, both },
            Unclear::Formats(both) => LocateError::Formats { task, split, both },
            Unclear::Beyond { path, number, of } => {
                LocateError::ShardBeyond { task, split, path, number, of }
            }
            Unclear::Missing { there, number, of } => {
                LocateError::MissingShard { task, split, number, shards: of, there }
            }
        }
    }

    /// The known splits of the task that exist below a data root, also those whose files are not clear.
    pub fn splits(&self, root: &Path) -> Vec<String> {
        let Source::Files { splits, files, .. } = &self.source else {
            return World::splits(self.kind).iter().map(|split| (*split).to_owned()).collect();
        };
        let mut found = Vec::new();
        for split in known_splits(splits, files) {
            let is_there = || !matches!(self.locate(root, &split), Err(LocateError::NotFound(_)));
            if !found.contains(&split) && !root.is_file() && is_there() {
                found.push(split);
            }
        }
        found
    }

    /// The splits whose files the task names itself (key `files`).
    pub fn splits_with_files(&self) -> impl Iterator<Item = &str> {
        let files = match &self.source {
            Source::Files { files, .. } => Some(files),
            Source::Synthetic => None,
        };
        files.into_iter().flat_map(BTreeMap::keys).map(String::as_str)
    }

    /// The split that the name of a file stands for: `validation` for `dev.jsonl` and `validation-00000-of-00002.jsonl`.
    /// `None` if no known split of the task has such a file.
    pub fn split_of_file(&self, file: &Path) -> Option<String> {
        let Source::Files { splits, files, .. } = &self.source else { return None };
        let stem = split_name(file)?;
        known_splits(splits, files).find(|split| match files.get(split) {
            Some(files) => files.iter().any(|own| own == file),
            None => names(splits, split).iter().any(|name| name.eq_ignore_ascii_case(stem)),
        })
    }
}

/// What to do with a directory that has none of the folders of a task.
fn without_folders(root: &Path, folders: &[String]) -> String {
    let mut files = entries(root);
    files.retain(|path| FileName::parse(path).is_some() && path.is_file());
    files.sort();
    let folder = folders.first().map(|folder| root.join(folder)).unwrap_or_else(|| root.to_owned());
    match files.is_empty() {
        true => format!(
            "none of these folders exists; {} is not the root of the data sets, or the rows of this task are not there",
            root.display()
        ),
        false => format!(
            "none of these folders exists, but there is {}; name the file itself, or move it into {}",
            listed(files.iter().map(|path| path.display()), 1),
            folder.display()
        ),
    }
}

fn listing(folder: &Path) -> Vec<String> {
    let files = searched(folder);
    let files = files.iter().flat_map(|folder| entries(folder));
    let mut files: Vec<String> = files.map(|path| described(&path)).collect();
    files.sort();
    files
}

/// A path, with what it is if it is no regular file.
fn described(path: &Path) -> String {
    match PathKind::of(path) {
        PathKind::File if path.parent().is_some_and(is_saved) && is_marker(path) => {
            format!("{} ({SAVED})", path.display())
        }
        PathKind::File => path.display().to_string(),
        kind => format!("{} ({kind})", path.display()),
    }
}

/// Why a folder shows no files.
fn empty(folder: &Path) -> Option<String> {
    match fs::read_dir(folder) {
        Err(error) => Some(format!("cannot read {}: {error}", folder.display())),
        Ok(_) if is_saved(folder) => Some(format!("{}: {SAVED}", folder.display())),
        Ok(mut entries) => entries.next().is_none().then(|| format!("{} is empty", folder.display())),
    }
}
