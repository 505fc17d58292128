//! Why a file cannot be read as rows.

use std::path::PathBuf;

/// A file that cannot be read as rows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RowsError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file's name does not say what it is.
    #[error("{}: rows are read from .jsonl, .json, .csv, .tsv, .parquet and .txt files; rename the file, or convert it", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The file is not what its name says.
    #[error("{}: this is not {expected} but {found}; {remedy}", path.display())]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// What the name says.
        expected: &'static str,
        /// What it is.
        found: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The file is damaged, or no file of its kind.
    #[error("{}{}: {message}", path.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, where there is one.
        line: Option<usize>,
        /// What is wrong and what to do.
        message: String,
    },
}
