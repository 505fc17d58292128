//! The names of splits: those of files, and those of the repository on the hub.

use std::collections::BTreeMap;

use crate::task::{Source, Task};

/// The split of the repository that holds the rows of a split: the split itself, or one whose files it shares.
pub(crate) fn served_by<'a>(task: &'a Task, split: &str) -> Option<&'a str> {
    let splits = task.hub.as_ref()?.splits();
    if let Some(same) = splits.iter().find(|served| **served == split) {
        return Some(same);
    }
    let own = names_of(task, split);
    splits.into_iter().find(|served| names_of(task, served).iter().any(|name| own.contains(name)))
}

/// The names that the files of a split may have.
pub(crate) fn names_of(task: &Task, split: &str) -> Vec<String> {
    match &task.source {
        Source::Files { splits, .. } => names(splits, split),
        Source::Synthetic => Vec::new(),
    }
}

/// The splits that a task with these keys knows, possibly with duplicates.
pub(super) fn known_splits<A, B>(
    splits: &BTreeMap<String, A>,
    files: &BTreeMap<String, B>,
) -> impl Iterator<Item = String> {
    let own: Vec<String> = splits.keys().chain(files.keys()).cloned().collect();
    DEFAULT_SPLITS.iter().map(|(split, _)| (*split).to_owned()).chain(own)
}

const DEFAULT_SPLITS: [(&str, &[&str]); 3] =
    [("train", &["train"]), ("validation", &["validation", "valid", "val", "dev"]), ("test", &["test"])];

/// The names that files of a split may have.
pub(crate) fn names(splits: &BTreeMap<String, Vec<String>>, split: &str) -> Vec<String> {
    if let Some(names) = splits.get(split) {
        return names.clone();
    }
    match DEFAULT_SPLITS.iter().find(|(known, _)| *known == split) {
        Some((_, names)) => names.iter().map(|name| (*name).to_owned()).collect(),
        None => vec![split.to_owned()],
    }
}
