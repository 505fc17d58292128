//! [`Task`]: a data set and how its rows become documents, read from a TOML file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value as Json};

use super::kind::Kind;
use super::metric::TaskMetric;
use super::recipe::Recipe;
use crate::document::Document;
use crate::rows::RowProblem;

/// A data set and how its rows become documents.
///
/// Tasks are TOML files, not code. The common benchmarks are embedded ([`Task::names`]); any other is given by the path of
/// its file.
///
#[doc = include_str!("../../TASKS.md")]
#[derive(Debug)]
pub struct Task {
    /// The task's name.
    pub name: String,
    /// What the task is, in a line; may be empty.
    pub about: String,
    /// What its rows are.
    pub kind: Kind,
    /// How predictions are judged; empty where there is nothing to predict.
    pub metrics: Vec<TaskMetric>,
    pub(crate) source: Source,
    pub(crate) recipe: Recipe,
}

/// Where a task's rows come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Files below a data root, or (for the splits in `files`) exactly these.
    Files {
        folders: Vec<String>,
        splits: BTreeMap<String, Vec<String>>,
        files: BTreeMap<String, Vec<PathBuf>>,
    },
    /// The little world of this crate.
    Synthetic,
}

impl Task {
    /// Whether rows are single answers with a score, of which [`Documents::load`](crate::Documents::load) makes pairs.
    pub fn pairs_answers(&self) -> bool {
        self.recipe.is_scored()
    }

    /// The rows inside of a row, where the task's `rows` says that there are some (SQuAD's articles hold paragraphs, which
    /// hold questions); else the row itself.
    ///
    /// # Errors
    /// What should be a list of objects is something else.
    pub fn nested_rows(&self, row: Map<String, Json>) -> Result<Vec<Map<String, Json>>, RowProblem> {
        self.recipe.selection.nested_rows(row)
    }

    /// The document in a row, as [`nested_rows`](Self::nested_rows) gives it.
    ///
    /// Where rows are single answers with a score, it is that answer alone; [`Documents::load`](crate::Documents::load)
    /// makes the pairs.
    ///
    /// # Errors
    /// A field that is missing or of a wrong type, a gold answer that is none of the candidates, ….
    pub fn document(&self, row: &Map<String, Json>) -> Result<Document, RowProblem> {
        self.recipe.document(row)
    }
}
