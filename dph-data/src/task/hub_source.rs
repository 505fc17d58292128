//! [`HubSource`]: the repository of a task's rows on the Hugging Face Hub.

use std::collections::BTreeMap;

/// Where the rows of a task can be downloaded.
#[cfg_attr(not(feature = "hub"), allow(dead_code, reason = "only downloads read all of it"))]
#[derive(Debug)]
pub(crate) struct HubSource {
    /// `owner/name`.
    pub repository: String,
    /// A branch, a tag or a commit.
    pub revision: String,
    pub files: HubFiles,
    pub licence: Option<String>,
    pub citation: Option<String>,
}

/// Which files of the repository hold the splits.
#[cfg_attr(not(feature = "hub"), allow(dead_code, reason = "only downloads read all of it"))]
#[derive(Debug)]
pub(crate) enum HubFiles {
    /// `<configuration>/<name of the split>/0000.parquet`, `0001.parquet` and so on, for these splits of the task.
    Converted { configuration: String, splits: Vec<String> },
    /// For each split of the task, its files.
    Named(BTreeMap<String, Vec<String>>),
}

impl HubSource {
    /// The splits of the task that the repository has.
    pub fn splits(&self) -> Vec<&str> {
        match &self.files {
            HubFiles::Converted { splits, .. } => splits.iter().map(String::as_str).collect(),
            HubFiles::Named(files) => files.keys().map(String::as_str).collect(),
        }
    }
}

/// The extension of a file, with the one before `.gz`.
pub(crate) fn extension(file: &str) -> Option<&str> {
    let name = file.rsplit('/').next()?;
    let plain = name.strip_suffix(".gz").unwrap_or(name);
    let dot = plain.rfind('.').filter(|dot| *dot > 0)?;
    Some(&name[dot + 1..])
}
