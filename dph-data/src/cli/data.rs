//! The flag that says where the data sets are, and the split of a single file.

use std::path::{Path, PathBuf};

use clap::Args;
use dph_data::Task;

/// Where the data sets are.
#[derive(Debug, Args)]
pub(crate) struct Data {
    /// Root of the data sets, or one file of rows
    #[arg(long = "data", value_name = "DIR", env = "DPH_DATA", default_value = "data")]
    pub root: PathBuf,
}

/// The split of a file of rows: the split that its name stands for, else `train`.
pub(crate) fn file_split(task: &Task, file: &Path) -> String {
    task.split_of_file(file).unwrap_or_else(|| "train".to_owned())
}
