//! [`Example`]: the text of a document, a line of `examples.jsonl`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::file_error::remove_file;
use crate::results::error::ResultsError;
use crate::results::json_lines::{read_lines, write_lines};

/// File name of the texts of some documents, beside `results.json`.
pub const EXAMPLES_FILE: &str = "examples.jsonl";

/// The characters of a text that are kept: its last ones.
const KEPT: usize = 6000;

/// The text of a document on which a head and the likelihood disagree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The task.
    pub task: String,
    /// The split.
    pub split: String,
    /// The document's id within the split.
    pub id: String,
    /// The text of the prompt's tokens; of a long one the end.
    pub prompt: String,
    /// The text of each candidate.
    pub candidates: Vec<String>,
}

impl Example {
    /// The end of a text.
    pub(crate) fn shortened(text: String) -> String {
        match text.chars().count().checked_sub(KEPT) {
            None | Some(0) => text,
            Some(cut) => {
                format!("[{cut} characters are left out] {}", text.chars().skip(cut).collect::<String>())
            }
        }
    }

    /// Reads `examples.jsonl` in a directory; none if there is no such file.
    ///
    /// # Errors
    /// The file has invalid content.
    pub fn load_all(dir: &Path) -> Result<Vec<Self>, ResultsError> {
        Ok(read_lines(dir.join(EXAMPLES_FILE))?.unwrap_or_default())
    }

    /// Writes `examples.jsonl` into a directory that exists, atomically. Without examples there is no such file.
    ///
    /// # Errors
    /// The file cannot be written or, without examples, removed.
    pub fn save_all(examples: &[Self], dir: &Path) -> Result<(), ResultsError> {
        let path = dir.join(EXAMPLES_FILE);
        match examples {
            [] => remove_file(path)?,
            examples => write_lines(path, examples)?,
        }
        Ok(())
    }
}
