//! [`fetch_and_show`]: a download with its progress on stderr.

use std::path::Path;

use dph_core::terminal::{Done, Progress};

use super::error::FetchError;
use super::event::FetchEvent;
use super::settings::HubSettings;
use super::split::{FetchedSplit, fetch};
use crate::task::Task;

const MEGABYTE: u64 = 1_000_000;

/// [`fetch`] with a progress bar on stderr.
///
/// # Errors
/// As [`fetch`].
pub fn fetch_and_show(
    task: &Task,
    splits: &[String],
    root: &Path,
    settings: &HubSettings,
) -> Result<Vec<FetchedSplit>, FetchError> {
    let mut progress = Progress::new();
    let what = format!("fetching {}", task.name);
    progress.prepare(&what);
    let mut started = false;
    let fetched = fetch(task, splits, root, settings, &mut |event| match event {
        FetchEvent::Note(text) => progress.interrupt(&format!("{}: {text}", task.name)),
        FetchEvent::Bytes { done, total } => {
            if !std::mem::replace(&mut started, true) {
                progress.start(done.div_ceil(MEGABYTE));
            }
            let share = total.map(|total| done as f64 / total.max(1) as f64);
            let (count, total) = (done.div_ceil(MEGABYTE), total.map(|total| total.div_ceil(MEGABYTE)));
            progress.update(&Done { what: &what, count, total, unit: "MB", share, ..Done::default() });
        }
    });
    progress.finish();
    fetched
}

/// Where the rows of a task come from, under which licence, and what to cite.
pub fn origin_lines(task: &Task) -> Vec<String> {
    let Some(hub) = &task.hub else { return Vec::new() };
    let licence = hub.licence.as_deref().unwrap_or("not stated; see the page of the repository");
    let cite = hub.citation.as_ref().map(|citation| format!("{}: please cite {citation}", task.name));
    let from = format!("{}: from {}, licence: {licence}", task.name, hub.repository);
    std::iter::once(from).chain(cite).collect()
}
