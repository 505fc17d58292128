//! The names and folders of a task's splits.

use std::path::{Path, PathBuf};

use super::super::locate::{LocateError, names};
use crate::task::{Source, Task};

/// The split of the repository that holds the rows of a split: the split itself, or one whose files it shares.
pub(super) fn served_by<'a>(task: &'a Task, split: &str) -> Option<&'a str> {
    let splits = task.hub.as_ref()?.splits();
    if let Some(same) = splits.iter().find(|served| **served == split) {
        return Some(same);
    }
    let own = names_of(task, split);
    splits.into_iter().find(|served| names_of(task, served).iter().any(|name| own.contains(name)))
}

/// Whether a split is there. Two files for it are an error of the loader.
pub(super) fn is_there(task: &Task, root: &Path, split: &str) -> bool {
    matches!(task.locate(root, split), Ok(_) | Err(LocateError::Ambiguous { .. }))
}

/// The names that the files of a split may have.
pub(super) fn names_of(task: &Task, split: &str) -> Vec<String> {
    match &task.source {
        Source::Files { splits, .. } => names(splits, split),
        Source::Synthetic => Vec::new(),
    }
}

/// The folder of the task below a data root.
pub(super) fn folder_of(task: &Task, root: &Path) -> PathBuf {
    match &task.source {
        Source::Files { folders, .. } => root.join(folders.first().unwrap_or(&task.name)),
        Source::Synthetic => root.join(&task.name),
    }
}
