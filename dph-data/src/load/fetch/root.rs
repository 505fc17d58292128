//! Data roots that begin with `hf:`: what is missing in a directory is downloaded.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use dph_core::hub::{HUB_PREFIX, user_cache};
use dph_core::terminal::say;

use super::super::split_names::served_by;
use super::error::FetchError;
use super::places::is_there;
use super::settings::HubSettings;
use super::shown::{fetch_and_show, origin_lines};
use super::split::missing_splits;
use crate::task::Task;

/// The directory of `hf:` in the user's cache.
const FOLDER: &str = "dph/data";

/// The directory of a data root: `DIR` for `hf:DIR`, `dph/data` in the user's cache (`XDG_CACHE_HOME` or `~/.cache`) for `hf:`, and any other root itself.
///
/// # Errors
/// [`FetchError::NoHome`] if there is no home directory.
pub fn data_directory(root: &Path) -> Result<PathBuf, FetchError> {
    match below_hub(root) {
        None => Ok(root.to_owned()),
        Some("") => user_cache().map(|cache| cache.join(FOLDER)).ok_or(FetchError::NoHome),
        Some(directory) => Ok(directory.into()),
    }
}

/// The directory of a data root for a task. If the root begins with `hf:`, the split is downloaded, unless it is there or the repository of the
/// task lacks it. Without a split these are all that the repository has.
///
/// # Errors
/// As [`fetch`](super::fetch).
pub fn fetched_directory<'a>(
    task: &Task,
    root: &'a Path,
    split: Option<&str>,
) -> Result<Cow<'a, Path>, FetchError> {
    if below_hub(root).is_none() {
        return Ok(root.into());
    }
    let directory = data_directory(root)?;
    let wanted: Vec<String> = match split {
        None => Vec::new(),
        Some(split) if is_there(task, &directory, split) => return Ok(directory.into()),
        // Without it, the caller reports that the split is not there.
        Some(split) => match served_by(task, split) {
            Some(served) => vec![served.to_owned()],
            None => return Ok(directory.into()),
        },
    };
    if task.hub.is_some() && !missing_splits(task, &wanted, &directory)?.is_empty() {
        fetch_and_show(task, &wanted, &directory, &HubSettings::from_env()?)?;
        // Once for all splits of a task.
        static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        if SAID.lock().is_ok_and(|mut said| said.insert(task.name.clone())) {
            origin_lines(task).iter().for_each(|line| say(line));
        }
    }
    Ok(directory.into())
}

fn below_hub(root: &Path) -> Option<&str> {
    root.to_str()?.strip_prefix(HUB_PREFIX)
}
