//! [`ResultsError`]: why results cannot be read or written.

use std::path::PathBuf;

use crate::file_error::FileError;
use crate::results::format::{RESULTS_FILE, RESULTS_FORMAT};

/// Results that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultsError {
    /// There is no such file or directory, or no results in it.
    #[error("{}: no {RESULTS_FILE} here; `dph-train` writes one into its run, `dph-eval bench … --out DIR` into DIR", path.display())]
    Missing {
        /// The path as given.
        path: PathBuf,
    },
    /// There are results, but not the scores of every document.
    #[error("{}: no documents.jsonl here, which has the scores of every document; `dph-train` and `dph-eval bench … --out DIR` write it", path.display())]
    MissingDocuments {
        /// The directory.
        path: PathBuf,
    },
    /// The documents are not those of the results.
    #[error(
        "{}: {found} documents of {task}/{split}, but {RESULTS_FILE} counts {counted}; the file is cut off or of another run: restore it, or evaluate again",
        path.display()
    )]
    OtherDocuments {
        /// The file of the documents.
        path: PathBuf,
        /// The task.
        task: String,
        /// The split.
        split: String,
        /// The number of its documents in the file.
        found: usize,
        /// The number of its documents in the results.
        counted: usize,
    },
    /// The results of a sweep where those of one run are needed.
    #[error("{}: these are the results of a sweep; name one of its variants, which are the directories beside the file", path.display())]
    Sweep {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file has a newer format.
    #[error("{}: format {format} is newer than this program, which reads up to {RESULTS_FORMAT}; update the program", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
}
