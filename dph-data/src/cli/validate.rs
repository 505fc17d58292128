//! `dph-data validate`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use dph_core::terminal::Failure;
use dph_data::{Documents, LoadOptions, Task, TaskError, read_rows};
use serde_json::json;

/// The flags of `validate`.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// A task (.toml), or a file of rows (.jsonl, .json, .csv, .tsv, .parquet)
    file: PathBuf,
    /// The task that the rows are for (needed for a file of rows)
    #[arg(long)]
    task: Option<String>,
}

impl Validate {
    pub(crate) fn run(&self, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
        let is_task = self.file.extension().is_some_and(|extension| extension == "toml");
        match (&self.task, is_task) {
            (None, true) => self.task_file(json, out),
            (Some(task), false) => self.rows(&Task::find(task)?, json, out),
            (None, false) => {
                Err(Failure::request("say with --task what the rows are for, for example --task preference"))
            }
            (Some(_), true) => {
                Err(Failure::request("--task is for files of rows; a TOML file is a task itself"))
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
            Err(TaskError::Invalid(invalid)) => invalid,
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
            writeln!(out, "{:?}", miette::Report::from(TaskError::Invalid(problems)))?;
        }
        Err(problems_found(count))
    }

    fn rows(&self, task: &Task, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
        let mut problems = Vec::new();
        let rows = read_rows(&self.file)?;
        let lines = !matches!(self.file.extension().and_then(|e| e.to_str()), Some("json" | "parquet"));
        let place = |number| {
            let file = self.file.display();
            if lines { format!("{file}:{number}") } else { format!("{file}, row {number}") }
        };
        let mut unlabelled = 0;
        let mut count = 0;
        for row in rows {
            let parts = match row.fields.and_then(|fields| task.unfold(fields)) {
                Ok(parts) => parts.iter().map(|fields| task.document(fields)).collect(),
                Err(problem) => vec![Err(problem)],
            };
            count += parts.len();
            for document in parts {
                match document {
                    Ok(document) => unlabelled += usize::from(document.gold.is_none()),
                    Err(problem) => problems.push((place(row.number), problem)),
                }
            }
        }
        if count == 0 {
            // The loader says what is wrong with an empty file.
            Documents::load(task, &self.file, "rows", &LoadOptions::default())?;
        }
        if json {
            let listed: Vec<_> = problems
                .iter()
                .map(|(place, problem)| json!({ "place": place, "reason": problem.reason.as_str(), "message": problem.message }))
                .collect();
            let report =
                json!({ "file": self.file, "rows": count, "unlabelled": unlabelled, "problems": listed });
            writeln!(out, "{report:#}")?;
        } else {
            for (place, problem) in &problems {
                writeln!(out, "{place}: {problem} ({})", problem.reason)?;
            }
            let good = count - problems.len();
            write!(out, "{}: {good} of {count} rows can be used for {}", self.file.display(), task.name)?;
            writeln!(
                out,
                "{}",
                if unlabelled > 0 { format!(", {unlabelled} of them unlabelled") } else { String::new() }
            )?;
        }
        if problems.is_empty() { Ok(()) } else { Err(problems_found(problems.len())) }
    }
}

/// The end after all problems have been printed.
fn problems_found(count: usize) -> Failure {
    let plural = if count == 1 { "" } else { "s" };
    Failure::Partly(format!("Error: {count} problem{plural}"))
}
