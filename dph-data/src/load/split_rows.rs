//! [`SplitRows`]: the rows of all files of a split, with nested rows expanded and the rows of other splits removed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use super::error::DataError;
use super::fetch::fetched_directory;
use crate::rows::{FileName, Format, Row, place};
use crate::synthetic::World;
use crate::task::{JOINED, Recipe, Source, Task};

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
    pub(super) fn read(task: &Task, recipe: &Recipe, root: &Path, split: &str) -> Result<Self, DataError> {
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
            read.add(recipe, split, 0, rows);
            read.join(recipe);
            return Ok(read);
        }
        let root = fetched_directory(task, root, Some(split))?;
        Self::from_files(task, recipe, task.locate(&root, split)?, split)
    }

    pub(super) fn from_files(
        task: &Task,
        recipe: &Recipe,
        files: Vec<PathBuf>,
        split: &str,
    ) -> Result<Self, DataError> {
        let mut read = Self::default();
        for (file, path) in files.iter().enumerate() {
            read.add(recipe, split, file, task.read_rows(path, split)?);
        }
        read.join(recipe);
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
    fn add(&mut self, recipe: &Recipe, split: &str, file: usize, rows: impl IntoIterator<Item = Row>) {
        for Row { number, fields } in rows {
            let parts = match fields.and_then(|fields| recipe.selection.nested_rows(fields)) {
                Ok(parts) => parts.into_iter().map(Ok).collect(),
                Err(problem) => vec![Err(problem)],
            };
            let alone = parts.len() == 1;
            for (index, fields) in parts.into_iter().enumerate() {
                let kept = |fields: Map<String, Json>| {
                    let keeps = recipe.selection.keeps(&fields, split)?;
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

    /// Makes one row of all rows with the same value of the key `join`: the last of them, with the list of all. It has the place
    /// of the first in the order of rows.
    fn join(&mut self, recipe: &Recipe) {
        if recipe.selection.join.is_none() {
            return;
        }
        let mut joined: Vec<(SplitRow, Vec<Json>)> = Vec::new();
        let mut by_key: HashMap<String, usize> = HashMap::new();
        for mut row in std::mem::take(&mut self.rows) {
            let key = row.row.fields.and_then(|fields| Ok((recipe.selection.join_key(&fields)?, fields)));
            let (key, fields) = match key {
                Ok((Some(key), fields)) => (key, fields),
                Ok((None, fields)) => {
                    joined.push((SplitRow { row: Row { fields: Ok(fields), ..row.row }, ..row }, Vec::new()));
                    continue;
                }
                Err(problem) => {
                    joined
                        .push((SplitRow { row: Row { fields: Err(problem), ..row.row }, ..row }, Vec::new()));
                    continue;
                }
            };
            let own = Json::Object(fields.clone());
            row.row = Row { fields: Ok(fields), ..row.row };
            match by_key.get(&key) {
                Some(&place) => {
                    joined[place].0 = row;
                    joined[place].1.push(own);
                }
                None => {
                    by_key.insert(key, joined.len());
                    joined.push((row, vec![own]));
                }
            }
        }
        self.rows = joined
            .into_iter()
            .map(|(mut row, rows)| {
                if let Ok(fields) = &mut row.row.fields {
                    fields.insert(JOINED.to_owned(), rows.into());
                }
                row
            })
            .collect();
    }

    /// Whether a row is of a format in which an empty field is also what a missing value is.
    pub(super) fn is_delimited(&self, row: &SplitRow) -> bool {
        let format = self.files.get(row.file).and_then(|file| FileName::parse(file)).map(|name| name.format);
        matches!(format, Some(Format::Csv | Format::Tsv))
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
