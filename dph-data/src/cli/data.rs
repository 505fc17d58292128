//! The flag that says where the data sets are, and the split of a single file.

use std::path::{Path, PathBuf};

use clap::Args;
use dph_core::terminal::Failure;
use dph_data::{Task, data_directory, fetched_directory};

/// Where the data sets are.
#[derive(Debug, Args)]
pub(crate) struct Data {
    /// Root of the data sets, or one file of rows. With hf: or hf:DIR, missing splits are downloaded into the user's cache or DIR
    #[arg(long = "data", value_name = "DIR", env = "DPH_DATA", default_value = "data")]
    pub root: PathBuf,
}

impl Data {
    /// The directory, or the file of rows. Nothing is downloaded.
    pub fn directory(&self) -> Result<PathBuf, Failure> {
        Ok(data_directory(&self.root)?)
    }

    /// The directory, or the file of rows, with what is missing of a task: this split, or all that its repository has.
    pub fn of_task(&self, task: &Task, split: Option<&str>) -> Result<PathBuf, Failure> {
        Ok(fetched_directory(task, &self.root, split)?.into_owned())
    }
}

/// The split of a file of rows: the split that its name stands for, else `train`.
pub(crate) fn file_split(task: &Task, file: &Path) -> String {
    task.split_of_file(file).unwrap_or_else(|| "train".to_owned())
}
