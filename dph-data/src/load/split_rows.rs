//! [`SplitRows`]: the rows of all files of a split, with nested rows expanded and the rows of other splits removed.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use super::error::DataError;
use crate::rows::{Row, place, read_rows};
use crate::synthetic::World;
use crate::task::{Source, Task};

/// The rows of a split.
#[derive(Default)]
pub(super) struct SplitRows {
    pub rows: Vec<SplitRow>,
    pub files: Vec<PathBuf>,
    /// Number of rows that belong to other splits.
    pub other_splits: usize,
}

/// A row and its place in the files.
pub(super) struct SplitRow {
    /// Index of the file.
    file: usize,
    /// For a nested row, its position in the enclosing row, from 1.
    part: Option<usize>,
    pub row: Row,
}

impl SplitRows {
    pub(super) fn read(task: &Task, root: &Path, split: &str) -> Result<Self, DataError> {
        if let Source::Synthetic = task.source {
            let rows = World::default().rows(task.kind, split);
            let rows = rows.ok_or_else(|| DataError::NoSyntheticSplit {
                task: task.name.clone(),
                split: split.to_owned(),
                splits: World::splits(task.kind),
            })?;
            let rows = rows
                .into_iter()
                .enumerate()
                .map(|(index, fields)| Row { number: index + 1, fields: Ok(fields) });
            let mut read = Self::default();
            read.add(task, split, 0, rows);
            return Ok(read);
        }
        Self::from_files(task, task.locate(root, split)?, split)
    }

    pub(super) fn from_files(task: &Task, files: Vec<PathBuf>, split: &str) -> Result<Self, DataError> {
        let mut read = Self::default();
        for (file, path) in files.iter().enumerate() {
            read.add(task, split, file, read_rows(path)?);
        }
        read.files = files;
        if !read.rows.is_empty() {
            return Ok(read);
        }
        let (task, split, files) = (task.name.clone(), split.to_owned(), read.files);
        Err(match read.other_splits {
            0 => DataError::Empty { task, split, files },
            rows => DataError::OtherSplits { task, split, rows, files },
        })
    }

    /// Adds the rows of a file that belong to the split; nested rows are expanded.
    fn add(&mut self, task: &Task, split: &str, file: usize, rows: impl IntoIterator<Item = Row>) {
        for Row { number, fields } in rows {
            let parts = match fields.and_then(|fields| task.nested_rows(fields)) {
                Ok(parts) => parts.into_iter().map(Ok).collect(),
                Err(problem) => vec![Err(problem)],
            };
            let alone = parts.len() == 1;
            for (index, fields) in parts.into_iter().enumerate() {
                let kept = |fields: Map<String, Json>| {
                    let keeps = task.recipe.selection.keeps(&fields, split)?;
                    Ok(keeps.then_some(fields))
                };
                let fields = match fields.and_then(kept) {
                    Ok(Some(fields)) => Ok(fields),
                    Ok(None) => {
                        self.other_splits += 1;
                        continue;
                    }
                    Err(problem) => Err(problem),
                };
                let part = (!alone).then_some(index + 1);
                self.rows.push(SplitRow { file, part, row: Row { number, fields } });
            }
        }
    }

    pub(super) fn place(&self, index: usize) -> String {
        let SplitRow { file, part, row } = &self.rows[index];
        let place = self
            .files
            .get(*file)
            .map_or_else(|| format!("row {}", row.number), |file| place(file, row.number));
        part.map_or_else(|| place.clone(), |part| format!("{place}, part {part}"))
    }
}
