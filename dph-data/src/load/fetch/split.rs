//! [`fetch`]: downloads the splits of a task that are not there.

use std::path::{Path, PathBuf};

use super::super::split_names::served_by;
use super::error::{FetchError, HubProblem};
use super::event::FetchEvent;
use super::places::{folder_of, is_there};
use super::settings::HubSettings;
use crate::task::{HubSource, Source, Task};

/// A split that is there after [`fetch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedSplit {
    /// The split of the task.
    pub split: String,
    /// Its files, in reading order.
    pub files: Vec<PathBuf>,
    /// Whether something was downloaded for it.
    pub downloaded: bool,
}

/// Downloads the splits of a task into `root/FOLDER`, where the task finds them; without `splits` all that its repository has. `FOLDER` is
/// the first of the task's `folders`. Splits that the task finds below `root` stay as they are and cause no request.
///
/// # Errors
/// A task without a repository or without such a split; what the hub refuses or lacks; no network; a file that cannot be written.
pub fn fetch(
    task: &Task,
    splits: &[String],
    root: &Path,
    settings: &HubSettings,
    notify: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<Vec<FetchedSplit>, FetchError> {
    let missing = missing_splits(task, splits, root)?;
    let source = source(task, root)?;
    if !missing.is_empty() {
        let failed = |problem| FetchError::Failed {
            task: task.name.clone(),
            splits: missing.clone(),
            repository: source.repository.clone(),
            problem: Box::new(problem),
        };
        if settings.offline {
            return Err(failed(HubProblem::Offline { root: root.to_owned() }));
        }
        download(task, source, &missing, root, settings, notify).map_err(failed)?;
    }
    let all = wanted(task, source, splits)?.into_iter();
    let fetched = all.map(|split| FetchedSplit {
        files: task.locate(root, &split).unwrap_or_default(),
        downloaded: missing.contains(&split),
        split,
    });
    Ok(fetched.collect())
}

/// The splits, or all splits of the task's repository, that are not below `root`.
///
/// # Errors
/// A task without a repository or without such a split; a `root` that is a file.
pub fn missing_splits(task: &Task, splits: &[String], root: &Path) -> Result<Vec<String>, FetchError> {
    if root.is_file() {
        return Err(FetchError::NoDirectory { root: root.to_owned() });
    }
    let mut wanted = wanted(task, source(task, root)?, splits)?;
    wanted.retain(|split| !is_there(task, root, split));
    Ok(wanted)
}

fn source<'a>(task: &'a Task, root: &Path) -> Result<&'a HubSource, FetchError> {
    if let Source::Synthetic = task.source {
        return Err(FetchError::Synthetic { task: task.name.clone() });
    }
    task.hub
        .as_ref()
        .ok_or_else(|| FetchError::NoRepository { task: task.name.clone(), folder: folder_of(task, root) })
}

fn wanted(task: &Task, source: &HubSource, splits: &[String]) -> Result<Vec<String>, FetchError> {
    if splits.is_empty() {
        return Ok(source.splits().into_iter().map(str::to_owned).collect());
    }
    let served = splits.iter().map(|split| {
        served_by(task, split).map(str::to_owned).ok_or_else(|| FetchError::NoSplit {
            task: task.name.clone(),
            split: split.clone(),
            repository: source.repository.clone(),
            splits: source.splits().into_iter().map(str::to_owned).collect(),
        })
    });
    let mut served = served.collect::<Result<Vec<_>, _>>()?;
    let mut seen = std::collections::HashSet::new();
    served.retain(|split| seen.insert(split.clone()));
    Ok(served)
}

#[cfg(feature = "hub")]
fn download(
    task: &Task,
    source: &HubSource,
    splits: &[String],
    root: &Path,
    settings: &HubSettings,
    notify: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<(), HubProblem> {
    let client = super::client::Client::new(settings, &source.repository, &source.revision);
    let plan = super::plan::plan(task, source, splits, &folder_of(task, root), &client, notify)?;
    super::download::download_all(&client, &plan, notify)
}

#[cfg(not(feature = "hub"))]
fn download(
    _: &Task,
    _: &HubSource,
    _: &[String],
    _: &Path,
    _: &HubSettings,
    _: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<(), HubProblem> {
    Err(HubProblem::NotBuilt)
}
