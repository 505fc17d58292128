//! [`RowsError`]: why a file cannot be read as rows.

use std::path::{Path, PathBuf};

use dph_core::git_lfs::POINTER;

/// Why a file cannot be read as rows.
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
    /// The extension of the file is unknown.
    #[error("{}: rows are read from .jsonl, .ndjson, .json, .csv, .tsv, .parquet and .txt files, all but .parquet also with .gz; rename the file, or convert it", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The content of the file does not match its extension.
    #[error("{}: this is not {expected} but {found}; {remedy}", path.display())]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// The format of the extension.
        expected: &'static str,
        /// The actual format.
        found: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The file is damaged.
    #[error("{}{}: {message}", path.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, if the format has lines.
        line: Option<usize>,
        /// What is wrong and what to do.
        message: String,
    },
}

impl RowsError {
    /// The file is a pointer of Git LFS.
    pub(super) fn pointer(path: &Path) -> Self {
        Self::Damaged { path: path.to_owned(), line: None, message: POINTER.to_owned() }
    }

    /// Two columns of a table have the same name.
    pub(super) fn same_columns(path: &Path, line: Option<usize>, name: &str) -> Self {
        let message = format!("two columns have the name `{name}`; rename or remove one of them");
        Self::Damaged { path: path.to_owned(), line, message }
    }
}
