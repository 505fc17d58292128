//! [`Documents`]: a split of a task in words.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::{Map, Value as Json};

use crate::chat::check_role;
use crate::data_error::DataError;
use crate::document::Document;
use crate::load::LoadOptions;
use crate::rows::{Row, place, read_rows};
use crate::scored::pair;
use crate::skipped::{RowProblem, SkipReason, Skipped};
use crate::synthetic::World;
use crate::task::{Source, Task};

/// A split in words: what [`TaskData`](crate::TaskData) is before tokenisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Documents {
    /// The usable documents, in the order of the rows; each has an id, unique in the split. Of answers that are paired there
    /// are as many as there are pairs.
    pub documents: Vec<Document>,
    /// The rows that cannot be used.
    pub skipped: Skipped,
    /// Number of rows of the split; rows inside of rows (key `rows`) are counted each, those of other splits (key `keep`)
    /// not at all.
    pub rows: usize,
    /// Number of rows of the files that belong to other splits (key `keep`).
    pub other_splits: usize,
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
        Self::from_rows(task, split, ReadRows::read(task, root, split)?, options, |_, _| {})
    }

    /// The documents of one file, as [`load`](Self::load) makes them of the files of a split.
    ///
    /// `on_problem` is called with the place of each row that cannot be used and what is wrong with it, in the order of the
    /// file; [`skipped`](Self::skipped) has only the first few rows of each reason.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_file(
        task: &Task,
        file: &Path,
        split: &str,
        options: &LoadOptions,
        on_problem: impl FnMut(&str, &RowProblem),
    ) -> Result<Self, DataError> {
        let read = ReadRows::from_files(task, vec![file.to_owned()], split)?;
        Self::from_rows(task, split, read, options, on_problem)
    }

    fn from_rows(
        task: &Task,
        split: &str,
        read: ReadRows,
        options: &LoadOptions,
        mut on_problem: impl FnMut(&str, &RowProblem),
    ) -> Result<Self, DataError> {
        let rendered: Vec<Result<Document, RowProblem>> =
            read.rows.par_iter().map(|ReadRow { row, .. }| document(task, row, options)).collect();
        let mut problems = Vec::new();
        let mut documents = Vec::with_capacity(rendered.len());
        let mut names = Names::default();
        for (index, document) in rendered.into_iter().enumerate() {
            match document {
                Ok(mut document) => {
                    document.id = Some(names.unique(document.id, read.rows[index].row.number));
                    documents.push((index, document));
                }
                Err(problem) => problems.push((index, problem)),
            }
        }
        if task.recipe.is_scored() {
            let (pairs, unpaired) = pair(&documents);
            documents = pairs;
            problems.extend(unpaired);
            problems.sort_by_key(|(index, _)| *index);
        }

        let mut skipped = Skipped::default();
        let mut first = None;
        for (index, problem) in problems {
            let place = read.place(index);
            on_problem(&place, &problem);
            if options.strict {
                let RowProblem { reason, message } = problem;
                return Err(DataError::Strict { place, reason, message });
            }
            first.get_or_insert_with(|| (place.clone(), problem.message.clone()));
            skipped.add(place, problem);
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
        let documents = documents.into_iter().map(|(_, document)| document).collect();
        let ReadRows { rows, files, other_splits } = read;
        Ok(Self { documents, skipped, rows: rows.len(), other_splits, files })
    }
}

/// The document in a row, if it can be used.
fn document(task: &Task, row: &Row, options: &LoadOptions) -> Result<Document, RowProblem> {
    let document = task.document(row.fields.as_ref().map_err(Clone::clone)?)?;
    for message in &document.prompt {
        check_role(&message.role)
            .map_err(|error| RowProblem::new(SkipReason::WrongType, error.to_string()))?;
    }
    // Without any candidate there is nothing that could be kept.
    let keep = options.keep_unlabelled && !document.candidates.is_empty();
    if document.gold.is_none() && !keep {
        let gold = task.recipe.gold().unwrap_or_default();
        let message = format!("the row has no gold answer: `{gold}` is missing, null, empty or -1");
        return Err(RowProblem::new(SkipReason::Unlabelled, message));
    }
    Ok(document)
}

/// The rows of a split.
#[derive(Default)]
struct ReadRows {
    rows: Vec<ReadRow>,
    files: Vec<PathBuf>,
    /// Number of rows that belong to other splits.
    other_splits: usize,
}

/// A row and where it is from.
struct ReadRow {
    /// Index of the file.
    file: usize,
    /// Where the row stands inside of one of the file's rows, its position there, from 1.
    part: Option<usize>,
    row: Row,
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

    fn from_files(task: &Task, files: Vec<PathBuf>, split: &str) -> Result<Self, DataError> {
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

    /// Adds the rows of a file that belong to the split, with the rows inside of them taken out.
    fn add(&mut self, task: &Task, split: &str, file: usize, rows: impl IntoIterator<Item = Row>) {
        for Row { number, fields } in rows {
            let parts = match fields.and_then(|fields| task.unfold(fields)) {
                Ok(parts) => parts.into_iter().map(Ok).collect(),
                Err(problem) => vec![Err(problem)],
            };
            let alone = parts.len() == 1;
            for (index, fields) in parts.into_iter().enumerate() {
                let kept = |fields: Map<String, Json>| {
                    let keeps = task.recipe.unfold.keeps(&fields, split)?;
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
                self.rows.push(ReadRow { file, part, row: Row { number, fields } });
            }
        }
    }

    fn place(&self, index: usize) -> String {
        let ReadRow { file, part, row } = &self.rows[index];
        let place = self
            .files
            .get(*file)
            .map_or_else(|| format!("row {}", row.number), |file| place(file, row.number));
        part.map_or_else(|| place.clone(), |part| format!("{place}, part {part}"))
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
