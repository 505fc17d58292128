//! [`Task`]: a data set and how its rows become documents, read from a TOML file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use dph_core::suggestion::did_you_mean;
use serde_json::{Map, Value as Json};

use crate::document::{Document, Recipe};
use crate::embedded;
use crate::invalid_toml::InvalidToml;
use crate::metric::Metric;
use crate::skipped::RowProblem;
use crate::task_builder::compile;
use crate::task_error::TaskError;
use crate::task_file;

/// What the rows of a task are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One prompt and several answers, one of them right.
    Choice,
    /// One prompt, a chosen and a rejected answer.
    Preference,
    /// One prompt and one answer: a set with a single candidate.
    Instruction,
    /// Plain text: a set with an empty prompt and a single candidate.
    Text,
}

/// A data set and how its rows become documents.
///
/// Tasks are TOML files, not code. The common benchmarks are embedded ([`Task::names`]); any other is given by the path of
/// its file.
///
#[doc = include_str!("../TASKS.md")]
#[derive(Debug)]
pub struct Task {
    /// The task's name.
    pub name: String,
    /// What the task is, in a line; may be empty.
    pub about: String,
    /// What its rows are.
    pub kind: Kind,
    /// How predictions are judged; empty where there is nothing to predict.
    pub metrics: Vec<Metric>,
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
    /// The names of the embedded tasks.
    pub fn names() -> impl Iterator<Item = &'static str> {
        embedded::TASKS.iter().map(|(name, _)| *name)
    }

    /// The TOML source of an embedded task, to look at or to start from.
    pub fn embedded_source(name: &str) -> Option<&'static str> {
        embedded::source(name)
    }

    /// The JSON schema of task files: every key with its documentation, for editors that know such schemas.
    ///
    /// A property's `x-kinds` lists the kinds of tasks that have the key; without it, all have.
    pub fn schema() -> Json {
        task_file::schema()
    }

    /// An embedded task by its name, or any task by the path of its file (which ends in `.toml`).
    ///
    /// # Errors
    /// [`TaskError::Unknown`] with the nearest name; otherwise as [`from_file`](Self::from_file).
    pub fn find(name_or_path: &str) -> Result<Self, TaskError> {
        if let Some(source) = embedded::source(name_or_path) {
            return Self::parse(source, &format!("{name_or_path}.toml"));
        }
        if Path::new(name_or_path).extension().is_some_and(|extension| extension == "toml") {
            return Self::from_file(Path::new(name_or_path));
        }
        let help = did_you_mean(name_or_path, Self::names()).unwrap_or_else(|| {
            "`dph-data list` shows the embedded ones; your own is given by its path, ending in .toml".into()
        });
        Err(TaskError::Unknown { name: name_or_path.to_owned(), help })
    }

    /// A task from a TOML file.
    ///
    /// # Errors
    /// The file cannot be read, or it is not a valid task: then all its problems are listed.
    pub fn from_file(path: &Path) -> Result<Self, TaskError> {
        let source = std::fs::read_to_string(path)
            .map_err(|source| TaskError::Read { path: path.to_owned(), source })?;
        Self::parse(&source, &path.display().to_string())
    }

    /// A task from TOML text. `file` names it in messages, and the task's own files are relative to its folder.
    ///
    /// # Errors
    /// [`TaskError::Invalid`] with everything that is wrong.
    pub fn parse(source: &str, file: &str) -> Result<Self, TaskError> {
        compile(source, file)
            .map_err(|problems| TaskError::Invalid(Box::new(InvalidToml::new(file, source, problems))))
    }

    /// Whether rows are single answers with a score, of which [`Documents::load`](crate::Documents::load) makes pairs.
    pub fn pairs_answers(&self) -> bool {
        self.recipe.is_scored()
    }

    /// The rows inside of a row, where the task's `rows` says that there are some (SQuAD's articles hold paragraphs, which
    /// hold questions); else the row itself.
    ///
    /// # Errors
    /// What should be a list of objects is something else.
    pub fn unfold(&self, row: Map<String, Json>) -> Result<Vec<Map<String, Json>>, RowProblem> {
        self.recipe.unfold.rows(row)
    }

    /// The document in a row, as [`unfold`](Self::unfold) gives it.
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

impl Kind {
    /// All kinds by their names.
    pub(crate) const ALL: [(&'static str, Self); 4] = [
        ("choice", Self::Choice),
        ("preference", Self::Preference),
        ("instruction", Self::Instruction),
        ("text", Self::Text),
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, kind)| kind == self).map_or("", |(name, _)| name);
        f.pad(name)
    }
}
