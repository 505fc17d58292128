//! The rows of a task's files.

use std::path::Path;

use super::split_names::names;
use crate::rows::{Reading, Row, RowsError, read};
use crate::task::{Source, Task};

impl Task {
    /// The rows of a file as the task reads them, see [`read_rows`](crate::read_rows): with its key `quotes`, and of a JSON file
    /// with several splits the rows of one. Its fields tell whether an object is a table by columns, one of rows by their index, or a row.
    ///
    /// # Errors
    /// A file that cannot be read or is not in its format.
    pub fn read_rows(&self, file: &Path, split: &str) -> Result<Vec<Row>, RowsError> {
        match &self.source {
            Source::Files { splits, quotes, .. } => {
                let fit = |row: &_| self.recipe.fit(row);
                read(file, Reading { quotes: *quotes, split: &names(splits, split), fit: Some(&fit) })
            }
            Source::Synthetic => read(file, Reading { quotes: true, split: &[split.to_owned()], fit: None }),
        }
    }
}
