//! `dph-data validate`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use dph_core::path_kind::PathKind;
use dph_core::terminal::numbers::counted;
use dph_core::terminal::{Failure, say};
use dph_data::{
    DataError, DefinitionError, Documents, RowProblem, SkipReason, Task, TaskLoadOptions, is_toml,
};
use serde_json::{Value as Json, json};

use super::data::file_split;

/// The flags of `validate`.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// A task (.toml), whose `files` are read as well, a file of rows (.jsonl, .json, .csv, .tsv, .parquet), or the root of the data sets
    file: PathBuf,
    /// The task of the rows (required for rows)
    #[arg(long)]
    task: Option<String>,
    /// The split of the rows [default: the split of the file's name, or train]
    #[arg(long, requires = "task")]
    split: Option<String>,
}

impl Validate {
    pub(crate) fn run(&self, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
        let is_task = is_toml(&self.file);
        match (&self.task, is_task) {
            (None, true) => self.task_file(json, out),
            (Some(task), false) => self.rows(&Task::find(task)?, json, out),
            (None, false) if !self.file.is_file() => Err(Failure::request(format!(
                "{}: {}; give a task file (.toml), or with --task a file of rows or the root of the data sets",
                self.file.display(),
                PathKind::of(&self.file)
            ))),
            (None, false) => {
                Err(Failure::request("name the task of the rows with --task, for example --task preference"))
            }
            (Some(_), true) => {
                Err(Failure::request("--task is for files of rows; a TOML file is itself a task"))
            }
        }
    }

    fn task_file(&self, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
        let problems = match Task::from_file(&self.file) {
            Ok(task) => return self.valid_task(&task, json, out),
            Err(DefinitionError::Invalid(invalid)) => invalid,
            Err(error) => return Err(error.into()),
        };
        let count = problems.problems.len();
        if json {
            let problems: Vec<_> = problems
                .problems
                .iter()
                .map(|problem| json!({ "line": problem.line, "message": problem.message, "help": problem.help }))
                .collect();
            writeln!(out, "{:#}", json!({ "file": self.file, "problems": problems }))?;
        } else {
            writeln!(out, "{:?}", miette::Report::from(DefinitionError::Invalid(problems)))?;
        }
        Err(problems_found(count))
    }

    /// Reports a valid task, with the rows of the files that it names.
    fn valid_task(&self, task: &Task, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
        // Such files do not depend on the data root.
        let loaded: Vec<_> =
            task.splits_with_files().map(|split| RowsReport::load(task, Path::new("."), split)).collect();
        let reports = || loaded.iter().filter_map(|loaded| loaded.as_ref().ok());
        if json {
            let splits: Vec<Json> = reports().map(RowsReport::to_json).collect();
            let valid = json!({ "file": self.file, "task": task.name, "kind": task.kind, "problems": [], "splits": splits });
            writeln!(out, "{valid:#}")?;
        } else {
            writeln!(out, "{}: a valid task: {}, {}", self.file.display(), task.name, task.kind)?;
            for report in reports() {
                let files = format!("{}, split {}", self.file.display(), report.split);
                report.print(&files, task, out)?;
            }
        }
        let count = reports().map(|report| report.problems.len()).sum();
        let mut failures = loaded.into_iter().filter_map(|loaded| match loaded {
            Ok(report) => report.nothing_usable.filter(|_| report.problems.is_empty()),
            Err(error) => Some(error),
        });
        match (failures.next(), count) {
            (None, 0) => Ok(()),
            (None, count) => Err(problems_found(count)),
            (Some(first), _) => {
                failures.for_each(|failure| say(&Failure::from(failure).to_string()));
                Err(first.into())
            }
        }
    }

    /// Loads the rows as training does, and reports every row that it would skip.
    fn rows(&self, task: &Task, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
        let split = self.split.clone().unwrap_or_else(|| file_split(task, &self.file));
        let report = RowsReport::load(task, &self.file, &split)?;
        if json {
            let mut json = report.to_json();
            json["file"] = json!(self.file);
            writeln!(out, "{json:#}")?;
        } else {
            report.print(&self.file.display().to_string(), task, out)?;
        }
        match (report.problems.len(), report.nothing_usable) {
            (0, None) => Ok(()),
            (0, Some(error)) => Err(error.into()),
            (count, _) => Err(problems_found(count)),
        }
    }
}

/// What training makes of the rows of a split.
struct RowsReport {
    split: String,
    rows: usize,
    usable: usize,
    other_splits: usize,
    unlabelled: usize,
    /// The rows that cannot be used, with their places; unlabelled ones are only counted.
    problems: Vec<(String, RowProblem)>,
    /// The error if no row can be used.
    nothing_usable: Option<DataError>,
}

impl RowsReport {
    /// The rows of a file, or those of a split below a data root.
    fn load(task: &Task, path: &Path, split: &str) -> Result<Self, DataError> {
        let mut problems = Vec::new();
        let mut unlabelled = 0;
        let loaded =
            Documents::from_path(task, path, split, &TaskLoadOptions::default(), |place, problem| {
                match problem.reason {
                    SkipReason::Unlabelled => unlabelled += 1,
                    _ => problems.push((place.to_owned(), problem.clone())),
                }
            });
        let (rows, usable, other_splits, nothing_usable) = match loaded {
            Ok(loaded) => (loaded.rows, loaded.documents.len(), loaded.other_splits, None),
            Err(DataError::NothingUsable { rows, .. }) => (rows, 0, 0, loaded.err()),
            Err(error) => return Err(error),
        };
        let split = split.to_owned();
        Ok(Self { split, rows, usable, other_splits, unlabelled, problems, nothing_usable })
    }

    fn to_json(&self) -> Json {
        let listed: Vec<_> = self
            .problems
            .iter()
            .map(|(place, problem)| json!({ "place": place, "reason": problem.reason.as_str(), "message": problem.message }))
            .collect();
        json!({
            "split": self.split,
            "rows": self.rows,
            "other_splits": self.other_splits,
            "documents": self.usable,
            "unlabelled": self.unlabelled,
            "problems": listed,
        })
    }

    /// Prints the problems, and how many of the rows of `files` can be used.
    fn print(&self, files: &str, task: &Task, out: &mut dyn Write) -> Result<(), Failure> {
        let Self { rows, usable, .. } = *self;
        for (place, problem) in &self.problems {
            writeln!(out, "{place}: {problem} ({})", problem.reason)?;
        }
        if task.pairs_answers() {
            let (all, make) = (counted(rows, "row"), if rows == 1 { "makes" } else { "make" });
            write!(out, "{files}: {all} {make} {} for {}", counted(usable, "pair"), task.name)?;
        } else {
            write!(out, "{files}: {usable} of {rows} rows can be used for {}", task.name)?;
        }
        for (what, count) in [("unlabelled", self.unlabelled), ("of other splits", self.other_splits)] {
            if count > 0 {
                write!(out, "; {what}: {count}")?;
            }
        }
        Ok(writeln!(out)?)
    }
}

/// The end after all problems have been printed.
fn problems_found(count: usize) -> Failure {
    Failure::Partly(format!("Error: {}", counted(count, "problem")))
}
