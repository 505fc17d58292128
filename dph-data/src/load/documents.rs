//! [`Documents`]: a split of a task before tokenisation.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::error::DataError;
use super::names::Names;
use super::options::TaskLoadOptions;
use super::pairs::pair;
use super::split_rows::{SplitRow, SplitRows};
use crate::document::Document;
use crate::rows::{RowProblem, SkipReason, Skipped, check_file, field_names};
use crate::task::{Recipe, Task};

/// A split of a task before tokenisation; see [`TaskData`](crate::TaskData) for candidate sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Documents {
    /// The usable documents in the order of the rows. Each has an id that is unique in the split. If the task pairs answers,
    /// there is one document for each pair.
    pub documents: Vec<Document>,
    /// The rows that cannot be used.
    pub skipped: Skipped,
    /// Number of rows of the split. Nested rows (key `rows`) are counted one by one; rows of other splits (key `keep`) are
    /// not counted.
    pub rows: usize,
    /// Number of rows of the files that belong to other splits (key `keep`).
    pub other_splits: usize,
    /// The files in reading order; empty for a synthetic task.
    pub files: Vec<PathBuf>,
}

impl Documents {
    /// The documents of a split. Every row becomes a document or is counted in `skipped`.
    ///
    /// `root` is the data root, or the file that holds the split. `options.limit`, `options.max_len` and `options.holdout` do not apply: they belong to
    /// [`TaskData::load`](crate::TaskData::load).
    ///
    /// # Errors
    /// No file, a damaged file, an empty split, no usable row; with `options.strict` any unusable row.
    pub fn load(task: &Task, root: &Path, split: &str, options: &TaskLoadOptions) -> Result<Self, DataError> {
        let recipe = recipe(task, options)?;
        let read = SplitRows::read(task, recipe, root, split)?;
        Self::from_rows(task, recipe, split, read, options, |_, _| {})
    }

    /// The documents of one file, as [`load`](Self::load) makes them of the files of a split, or those of a split below a data root.
    ///
    /// `on_problem(place, problem)` is called for each row that cannot be used, in the order of the file;
    /// [`skipped`](Self::skipped) has only the first few rows for each reason.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_path(
        task: &Task,
        path: &Path,
        split: &str,
        options: &TaskLoadOptions,
        on_problem: impl FnMut(&str, &RowProblem),
    ) -> Result<Self, DataError> {
        let recipe = recipe(task, options)?;
        let has_files = task.splits_with_files().any(|own| own == split);
        if has_files && !path.is_dir() {
            // The files that the task names would be read in its place.
            check_file(path)?;
        }
        let read = match path.is_file() {
            true => SplitRows::from_files(task, recipe, vec![path.to_owned()], split)?,
            false => SplitRows::read(task, recipe, path, split)?,
        };
        Self::from_rows(task, recipe, split, read, options, on_problem)
    }

    fn from_rows(
        task: &Task,
        recipe: &Recipe,
        split: &str,
        read: SplitRows,
        options: &TaskLoadOptions,
        mut on_problem: impl FnMut(&str, &RowProblem),
    ) -> Result<Self, DataError> {
        let rendered: Vec<Result<Document, RowProblem>> =
            read.rows.par_iter().map(|row| document(recipe, row, &read, options)).collect();
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
        if recipe.is_scored() {
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
                selected: false,
                skipped: Box::new(skipped),
                place,
                message,
            });
        }
        let documents = documents.into_iter().map(|(_, document)| document).collect();
        let SplitRows { rows, files, other_splits } = read;
        Ok(Self { documents, skipped, rows: rows.len(), other_splits, files })
    }
}

/// How rows become documents for a classifier, or in the style of the options.
fn recipe<'a>(task: &'a Task, options: &TaskLoadOptions) -> Result<&'a Recipe, DataError> {
    if options.classify.is_some() {
        let classify = task.classify.as_ref().map(|(recipe, _)| recipe);
        return classify.ok_or_else(|| DataError::NoClassify { task: task.name.clone() });
    }
    task.recipe_in(options.style).ok_or_else(|| DataError::NoPlain { task: task.name.clone() })
}

/// The document in a row, if it can be used.
fn document(
    recipe: &Recipe,
    row: &SplitRow,
    read: &SplitRows,
    options: &TaskLoadOptions,
) -> Result<Document, RowProblem> {
    let fields = row.row.fields.as_ref().map_err(Clone::clone)?;
    let document = recipe.document(fields)?;
    if read.is_delimited(row) {
        recipe.check_filled(&document)?;
    }
    // An unlabelled instruction has no candidates.
    let keep = options.keep_unlabelled && !document.candidates.is_empty();
    if document.gold.is_none() && !keep {
        let gold = recipe.gold().unwrap_or_default();
        let field = gold.split('.').next().unwrap_or_default();
        let is_field = field.chars().all(|c| c.is_alphanumeric() || c == '_');
        let there = match is_field && !fields.contains_key(field) {
            true => format!("; there is {}", field_names(fields)),
            false => String::new(),
        };
        let message =
            format!("the row has no gold answer: `{gold}` is missing, null, NaN, empty or -1{there}");
        return Err(RowProblem::new(SkipReason::Unlabelled, message));
    }
    Ok(document)
}
