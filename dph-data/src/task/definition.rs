//! [`Task`]: a data set and how its rows become documents, read from a TOML file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use dph_core::Style;
use serde_json::{Map, Value as Json};

use super::classes::Classes;
use super::hub_source::HubSource;
use super::kind::Kind;
use super::metric::TaskMetric;
use super::recipe::Recipe;
use crate::document::Document;
use crate::rows::RowProblem;

/// A data set and how its rows become documents.
///
/// A task is a TOML file. Common benchmarks are embedded ([`Task::names`]); other tasks are read from files.
///
#[doc = include_str!("../../TASKS.md")]
#[derive(Debug)]
pub struct Task {
    /// The task's name.
    pub name: String,
    /// A one-line description; may be empty.
    pub about: String,
    /// What its rows are.
    pub kind: Kind,
    /// The metrics of predictions or of whole texts; empty for instructions.
    pub metrics: Vec<TaskMetric>,
    /// For perplexities, the number of tokens of a window; `None` for the context of the model.
    pub window: Option<usize>,
    pub(crate) source: Source,
    pub(crate) recipe: Recipe,
    /// The recipe in the style `plain`.
    pub(crate) plain: Option<Recipe>,
    /// The recipe for classifiers, and what they predict.
    pub(crate) classify: Option<(Recipe, Classes)>,
    /// Where its rows can be downloaded.
    pub(crate) hub: Option<HubSource>,
}

/// Where a task's rows come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Files below a data root or, for the splits in `files`, these files.
    Files {
        folders: Vec<String>,
        splits: BTreeMap<String, Vec<String>>,
        files: BTreeMap<String, Vec<PathBuf>>,
        /// Whether quotation marks enclose the fields of tsv files.
        quotes: bool,
    },
    /// The synthetic world of this crate.
    Synthetic,
}

impl Task {
    /// The recipe in a style. Plain text has no style.
    pub(crate) fn recipe_in(&self, style: Style) -> Option<&Recipe> {
        match style {
            Style::Plain if self.kind != Kind::Text => self.plain.as_ref(),
            _ => Some(&self.recipe),
        }
    }

    /// What a classifier of the task predicts; `None` if its file has no table `[classify]`.
    pub fn classes(&self) -> Option<&Classes> {
        self.classify.as_ref().map(|(_, classes)| classes)
    }

    /// Whether rows are single answers with a score; [`Documents::load`](crate::Documents::load) makes pairs of them.
    pub fn pairs_answers(&self) -> bool {
        self.recipe.is_scored()
    }

    /// The rows that are nested in a row according to the key `rows` (an article of SQuAD holds paragraphs, which hold
    /// questions); the row itself if there are none.
    ///
    /// # Errors
    /// A value of `rows` that is not a list of objects.
    pub fn nested_rows(&self, row: Map<String, Json>) -> Result<Vec<Map<String, Json>>, RowProblem> {
        self.recipe.selection.nested_rows(row)
    }

    /// The document of a row that [`nested_rows`](Self::nested_rows) returned, in the style `chat`.
    ///
    /// If rows are single answers with a score, the document holds that answer only; [`Documents::load`](crate::Documents::load)
    /// makes the pairs.
    ///
    /// # Errors
    /// A field that is missing or of a wrong type, or a gold answer that is not a candidate.
    pub fn document(&self, row: &Map<String, Json>) -> Result<Document, RowProblem> {
        self.recipe.document(row)
    }
}
