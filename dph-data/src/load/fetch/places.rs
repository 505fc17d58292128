//! The folders of a task's splits.

use std::path::{Path, PathBuf};

use super::super::locate::LocateError;
use crate::task::{Source, Task};

/// Whether a split is there. Files of it that do not fit together are an error of the loader.
pub(super) fn is_there(task: &Task, root: &Path, split: &str) -> bool {
    matches!(
        task.locate(root, split),
        Ok(_)
            | Err(LocateError::Ambiguous { .. }
                | LocateError::Formats { .. }
                | LocateError::ShardBeyond { .. })
    )
}

/// The folder of the task below a data root.
pub(super) fn folder_of(task: &Task, root: &Path) -> PathBuf {
    match &task.source {
        Source::Files { folders, .. } => root.join(folders.first().unwrap_or(&task.name)),
        Source::Synthetic => root.join(&task.name),
    }
}
