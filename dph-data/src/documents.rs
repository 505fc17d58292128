//! [`Documents`]: a split of a task in words.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::data_error::DataError;
use crate::document::Document;
use crate::load::LoadOptions;
use crate::rows::{Row, place, read_rows};
use crate::skipped::{RowProblem, SkipReason, Skipped};
use crate::synthetic::World;
use crate::task::{Source, Task};

/// A split in words: what [`TaskData`](crate::TaskData) is before tokenisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Documents {
    /// The usable documents, in the order of the rows; each has an id, unique in the split.
    pub documents: Vec<Document>,
    /// The rows that cannot be used.
    pub skipped: Skipped,
    /// Number of rows in the files.
    pub rows: usize,
    /// The files, in the order in which they were read; none for a synthetic task.
    pub files: Vec<PathBuf>,
}

impl Documents {
    /// The documents of a split: every row rendered or counted.
    ///
    /// `root` is the data root, or the very file. `options.limit` and `options.max_len` do not apply: they belong to
    /// [`TaskData::load`](crate::TaskData::load).
    ///
    /// # Errors
    /// No file, a damaged file, an empty split, no usable row; with `options.strict` any unusable row.
    pub fn load(task: &Task, root: &Path, split: &str, options: &LoadOptions) -> Result<Self, DataError> {
        let read = ReadRows::read(task, root, split)?;
        let rendered: Vec<Result<Document, RowProblem>> = read
            .rows
            .par_iter()
            .map(|(_, row)| {
                let document = task.document(row.fields.as_ref().map_err(Clone::clone)?)?;
                if document.gold.is_none() && !options.keep_unlabelled {
                    let gold = task.recipe.gold().unwrap_or_default();
                    let message =
                        format!("the row has no gold answer: `{gold}` is missing, null, empty or -1");
                    return Err(RowProblem::new(SkipReason::Unlabelled, message));
                }
                Ok(document)
            })
            .collect();

        let mut skipped = Skipped::default();
        let mut first = None;
        let mut documents = Vec::with_capacity(rendered.len());
        let mut names = Names::default();
        for (index, document) in rendered.into_iter().enumerate() {
            match document {
                Ok(mut document) => {
                    document.id = Some(names.unique(document.id, read.rows[index].1.number));
                    documents.push(document);
                }
                Err(problem) => {
                    let place = read.place(index);
                    if options.strict {
                        let RowProblem { reason, message } = problem;
                        return Err(DataError::Strict { place, reason, message });
                    }
                    first.get_or_insert_with(|| (place.clone(), problem.message.clone()));
                    skipped.add(place, problem);
                }
            }
        }
        if let (true, Some((place, message))) = (documents.is_empty(), first) {
            return Err(DataError::NothingUsable {
                task: task.name.clone(),
                split: split.to_owned(),
                rows: read.rows.len(),
                skipped: Box::new(skipped),
                place,
                message,
            });
        }
        Ok(Self { documents, skipped, rows: read.rows.len(), files: read.files })
    }
}

/// The rows of a split, with the file of each.
struct ReadRows {
    rows: Vec<(usize, Row)>,
    files: Vec<PathBuf>,
}

impl ReadRows {
    fn read(task: &Task, root: &Path, split: &str) -> Result<Self, DataError> {
        if let Source::Synthetic = task.source {
            let rows = World::default().rows(task.kind, split);
            let rows = rows.ok_or_else(|| DataError::NoSyntheticSplit {
                task: task.name.clone(),
                split: split.to_owned(),
                splits: World::splits(task.kind),
            })?;
            let rows = rows.into_iter().enumerate();
            let rows =
                rows.map(|(index, fields)| (0, Row { number: index + 1, fields: Ok(fields) })).collect();
            return Ok(Self { rows, files: Vec::new() });
        }
        let files = task.locate(root, split)?;
        let mut rows = Vec::new();
        for (file, path) in files.iter().enumerate() {
            rows.extend(read_rows(path)?.into_iter().map(|row| (file, row)));
        }
        if rows.is_empty() {
            return Err(DataError::Empty { task: task.name.clone(), split: split.to_owned(), files });
        }
        Ok(Self { rows, files })
    }

    fn place(&self, index: usize) -> String {
        let (file, row) = &self.rows[index];
        self.files.get(*file).map_or_else(|| format!("row {}", row.number), |file| place(file, row.number))
    }
}

/// Gives every document a name that no other has.
#[derive(Default)]
struct Names {
    taken: HashMap<String, usize>,
}

impl Names {
    fn unique(&mut self, id: Option<String>, number: usize) -> String {
        let id = id.unwrap_or_else(|| number.to_string());
        match self.taken.get_mut(&id) {
            None => {
                self.taken.insert(id.clone(), 1);
                id
            }
            Some(times) => {
                *times += 1;
                let again = format!("{id}#{times}");
                // Only a file that already has such an id gets here twice.
                self.unique(Some(again), number)
            }
        }
    }
}
