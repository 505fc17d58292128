//! [`DataError`]: why a split cannot be loaded.

use std::path::PathBuf;

use super::fetch::FetchError;
use super::locate::{LocateError, SplitNotFound};
use crate::rows::{RowsError, SkipReason, Skipped};

/// Why a split cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The task has no wording in the style `plain`.
    #[error(
        "`{task}` has no wording in the style `plain`: its file has no table [plain]; add the table (TASKS.md describes it), or use \
         the style `chat`, which needs a tokenizer with a chat format"
    )]
    NoPlain {
        /// The task.
        task: String,
    },
    /// The task says nothing to classifiers.
    #[error(
        "`{task}` cannot be used by a classifier: its file has no table [classify], which names the fields of its texts and its labels; add the \
         table (TASKS.md describes it)"
    )]
    NoClassify {
        /// The task.
        task: String,
    },
    /// There is no file.
    #[error(transparent)]
    NotFound(SplitNotFound),
    /// The files are not clear, or not complete.
    #[error(transparent)]
    Files(LocateError),
    /// The files cannot be downloaded.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A file is not what it should be.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// The files hold no row.
    #[error("{}: the split `{split}` of `{task}` is empty; is the file complete?", files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", "))]
    Empty {
        /// The task.
        task: String,
        /// The split.
        split: String,
        /// The files.
        files: Vec<PathBuf>,
    },
    /// The files hold rows, but all of them belong to other splits.
    #[error(
        "{}: no row belongs to the split `{split}` of `{task}`, by its key `keep`; {rows} belong to other splits. Name the right split",
        files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    OtherSplits {
        /// The task.
        task: String,
        /// The split.
        split: String,
        /// Number of rows in the files.
        rows: usize,
        /// The files.
        files: Vec<PathBuf>,
    },
    /// There are rows, but none can be used.
    #[error(
        "{} `{task}`, split `{split}`, {} be used ({skipped}). The first: {place}: {message}",
        match (*rows, if *selected { "selected document" } else { "row" }) {
            (1, unit) => format!("the only {unit} of"),
            (rows, unit) => format!("none of the {rows} {unit}s of"),
        },
        if *rows == 1 { "cannot" } else { "can" }
    )]
    NothingUsable {
        /// The task.
        task: String,
        /// The split.
        split: String,
        /// Number of rows or documents that were tried.
        rows: usize,
        /// Whether only some documents were tried: a sample, a side of a holdout, or pairs of rows.
        selected: bool,
        /// The reasons, for all that were tried.
        skipped: Box<Skipped>,
        /// The first row that cannot be used.
        place: String,
        /// What is wrong with it.
        message: String,
    },
    /// A row cannot be used, and `strict` was asked for.
    #[error("{place}: {message} ({reason}); without `strict` the row would be skipped and counted")]
    Strict {
        /// The row.
        place: String,
        /// The kind of problem.
        reason: SkipReason,
        /// The problem in words.
        message: String,
    },
    /// The synthetic world has no such split.
    #[error("the synthetic task `{task}` has no split `{split}`; it has {}", splits.join(", "))]
    NoSyntheticSplit {
        /// The task.
        task: String,
        /// The split asked for.
        split: String,
        /// The splits that there are.
        splits: &'static [&'static str],
    },
    /// All documents have the same prompt, so that none can be held out.
    #[error(
        "nothing of `{task}`, split `{split}`, can be held out: all of its rows have the same prompt; add rows with other prompts, or leave `holdout` out"
    )]
    OnePrompt {
        /// The task.
        task: String,
        /// The split.
        split: String,
    },
    /// There are too few documents to draw examples from.
    #[error(
        "{wanted} few-shot examples are wanted for `{task}`, but its train split has only {available} answered documents"
    )]
    TooFewExamples {
        /// The task.
        task: String,
        /// Examples wanted.
        wanted: usize,
        /// Documents that could serve.
        available: usize,
    },
}

impl From<LocateError> for DataError {
    fn from(error: LocateError) -> Self {
        match error {
            LocateError::NotFound(error) => Self::NotFound(error),
            LocateError::Root(error) => Self::Rows(error),
            error => Self::Files(error),
        }
    }
}
