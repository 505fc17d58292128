//! Folders that `save_to_disk` of datasets wrote. Their rows are in files of Arrow, which are not read.

use std::path::Path;

/// What such a folder is, and the remedy.
pub(super) const SAVED: &str = "written by save_to_disk of datasets, which is not read; write each split with \
                                datasets.load_from_disk(…).to_parquet(…)";

/// The files that such a folder has: the one of a split, the other of several.
const MARKERS: [&str; 2] = ["state.json", "dataset_dict.json"];

/// Whether a folder is such a folder. `state.json` alone may be anything.
pub(super) fn is_saved(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).is_file();
    has(MARKERS[1]) || has(MARKERS[0]) && has("dataset_info.json")
}

/// Whether a file is the one by which such a folder is known.
pub(super) fn is_marker(path: &Path) -> bool {
    path.file_name().is_some_and(|name| MARKERS.iter().any(|marker| name == *marker))
}
