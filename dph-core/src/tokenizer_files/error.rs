//! [`TokenizerFilesError`]: why no `tokenizer.json` can be made of the files of a tokenizer.

use std::io;
use std::path::PathBuf;

/// Why no `tokenizer.json` can be made of the files of a tokenizer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerFilesError {
    /// The folder has no file of a tokenizer.
    #[error("there is no tokenizer.json in {}", folder.display())]
    None {
        /// The folder.
        folder: PathBuf,
    },
    /// The files have a form that is not supported.
    #[error(
        "{} has no tokenizer.json, and {problem}; transformers can write a tokenizer.json:\n  \
         python -c 'from transformers import AutoTokenizer; AutoTokenizer.from_pretrained(\"{}\").save_pretrained(\"{}\")'",
        folder.display(), folder.display(), folder.display()
    )]
    Unsupported {
        /// The folder.
        folder: PathBuf,
        /// The files that are there, and why they cannot be used.
        problem: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is not a valid {what}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The expected content.
        what: &'static str,
        /// What is wrong.
        message: String,
    },
}
