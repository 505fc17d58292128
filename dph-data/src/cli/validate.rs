//! `dph-data validate`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use dph_core::terminal::Failure;
use dph_core::terminal::numbers::counted;
use dph_data::{DataError, DefinitionError, Documents, SkipReason, Task, TaskLoadOptions};
use serde_json::json;

use super::data::file_split;

/// The flags of `validate`.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// A task (.toml), a file of rows (.jsonl, .json, .csv, .tsv, .parquet), or the root of the data sets
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
        let is_task = self.file.extension().is_some_and(|extension| extension == "toml");
        match (&self.task, is_task) {
            (None, true) => self.task_file(json, out),
            (Some(task), false) => self.rows(&Task::find(task)?, json, out),
            (None, false) if !self.file.is_file() => Err(Failure::request(format!(
                "{}: {}; give a task file (.toml), or a file of rows with --task",
                self.file.display(),
                if self.file.is_dir() { "this is a directory" } else { "there is no such file" }
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
            Ok(task) if json => {
                let valid =
                    json!({ "file": self.file, "task": task.name, "kind": task.kind, "problems": [] });
                return Ok(writeln!(out, "{valid:#}")?);
            }
            Ok(task) => {
                return Ok(writeln!(
                    out,
                    "{}: a valid task: {}, {}",
                    self.file.display(),
                    task.name,
                    task.kind
                )?);
            }
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

    /// Loads the rows as training does, and reports every row that it would skip.
    fn rows(&self, task: &Task, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
        let split = self.split.clone().unwrap_or_else(|| file_split(task, &self.file));
        let mut problems = Vec::new();
        let mut unlabelled = 0;
        let options = TaskLoadOptions::default();
        let loaded =
            Documents::from_path(task, &self.file, &split, &options, |place, problem| match problem.reason {
                SkipReason::Unlabelled => unlabelled += 1,
                _ => problems.push((place.to_owned(), problem.clone())),
            });
        let (rows, usable, other_splits) = match &loaded {
            Ok(loaded) => (loaded.rows, loaded.documents.len(), loaded.other_splits),
            Err(DataError::NothingUsable { rows, .. }) => (*rows, 0, 0),
            Err(_) => return loaded.map(drop).map_err(Failure::from),
        };
        if json {
            let listed: Vec<_> = problems
                .iter()
                .map(|(place, problem)| json!({ "place": place, "reason": problem.reason.as_str(), "message": problem.message }))
                .collect();
            let report = json!({
                "file": self.file,
                "split": split,
                "rows": rows,
                "other_splits": other_splits,
                "documents": usable,
                "unlabelled": unlabelled,
                "problems": listed,
            });
            writeln!(out, "{report:#}")?;
        } else {
            for (place, problem) in &problems {
                writeln!(out, "{place}: {problem} ({})", problem.reason)?;
            }
            let file = self.file.display();
            if task.pairs_answers() {
                let (all, make) = (counted(rows, "row"), if rows == 1 { "makes" } else { "make" });
                write!(out, "{file}: {all} {make} {} for {}", counted(usable, "pair"), task.name)?;
            } else {
                write!(out, "{file}: {usable} of {rows} rows can be used for {}", task.name)?;
            }
            for (what, count) in [("unlabelled", unlabelled), ("of other splits", other_splits)] {
                if count > 0 {
                    write!(out, "; {what}: {count}")?;
                }
            }
            writeln!(out)?;
        }
        match problems.len() {
            0 => loaded.map(drop).map_err(Failure::from),
            count => Err(problems_found(count)),
        }
    }
}

/// The end after all problems have been printed.
fn problems_found(count: usize) -> Failure {
    Failure::Partly(format!("Error: {}", counted(count, "problem")))
}
