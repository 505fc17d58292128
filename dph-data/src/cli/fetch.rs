//! `dph-data fetch`.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use dph_core::terminal::numbers::{bytes, counted};
use dph_core::terminal::{Failure, print_table, say};
use dph_data::{
    FetchError, FetchedSplit, HubSettings, Task, data_directory, fetch_and_show, missing_splits, origin_lines,
};
use serde_json::{Value, json};

/// The flags of `fetch`.
#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// Embedded tasks or TOML files with a table [hub]
    #[arg(required = true, value_name = "TASK")]
    tasks: Vec<String>,
    /// Root of the data sets, or hf: for the folder of --data hf: in the user's cache
    #[arg(long = "data", value_name = "DIR", env = "DPH_DATA", default_value = "data")]
    root: PathBuf,
    /// Only this split; may be given several times [default: all that the repository has]
    #[arg(long, value_name = "SPLIT")]
    split: Vec<String>,
}

impl Fetch {
    pub(crate) fn run(&self, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
        let root = data_directory(&self.root)?;
        let mut tasks = self.tasks.iter().map(|task| Task::find(task)).collect::<Result<Vec<_>, _>>()?;
        let mut seen = HashSet::new();
        tasks.retain(|task| seen.insert(task.name.clone()));
        // A wrong request is reported before anything is downloaded.
        for task in &tasks {
            missing_splits(task, &self.split, &root)?;
        }
        let settings = HubSettings::from_env()?;
        let mut fetched = Vec::new();
        let mut failures = Vec::new();
        for task in &tasks {
            match fetch_and_show(task, &self.split, &root, &settings) {
                Ok(splits) => fetched.push((task, splits)),
                Err(error) => {
                    let is_general = error.is_general();
                    failures.push(error);
                    if is_general {
                        break;
                    }
                }
            }
        }
        match json {
            true => writeln!(out, "{:#}", to_json(&fetched))?,
            false => print(&fetched, out)?,
        }
        self.report(&tasks, &root, failures)
    }

    /// The failures, and what is still missing.
    fn report(&self, tasks: &[Task], root: &Path, mut failures: Vec<FetchError>) -> Result<(), Failure> {
        let Some(last) = failures.pop() else { return Ok(()) };
        for failure in failures {
            say(&Failure::from(failure).to_string());
        }
        let mut missing = Vec::new();
        for task in tasks {
            let splits = missing_splits(task, &self.split, root)?;
            if !splits.is_empty() {
                missing.push(format!("{} ({})", task.name, splits.join(", ")));
            }
        }
        if missing.len() > 1 {
            say(&format!("missing below {}: {}", root.display(), missing.join(", ")));
        }
        Err(last.into())
    }
}

fn print(fetched: &[(&Task, Vec<FetchedSplit>)], out: &mut dyn Write) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for (task, splits) in fetched {
        for FetchedSplit { split, files, downloaded } in splits {
            let place = match &files[..] {
                [only] => only.display().to_string(),
                [first, rest @ ..] => format!("{} and {}", first.display(), counted(rest.len(), "more file")),
                [] => "-".to_owned(),
            };
            let state = if *downloaded { "fetched" } else { "was here" };
            rows.push(vec![task.name.clone(), split.clone(), bytes(size(files)), state.to_owned(), place]);
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    print_table(out, &["task", "split", "size", "state", "file"], &rows)?;
    let mut lines = fetched.iter().flat_map(|(task, _)| origin_lines(task));
    Ok(lines.try_for_each(|line| writeln!(out, "{line}"))?)
}

fn to_json(fetched: &[(&Task, Vec<FetchedSplit>)]) -> Value {
    let splits = fetched.iter().flat_map(|(task, splits)| splits.iter().map(move |split| (task, split)));
    let splits = splits.map(|(task, FetchedSplit { split, files, downloaded })| {
        json!({ "task": task.name, "split": split, "files": files, "bytes": size(files), "downloaded": downloaded, "origin": origin_lines(task) })
    });
    splits.collect()
}

fn size(files: &[PathBuf]) -> u64 {
    files.iter().filter_map(|file| Some(file.metadata().ok()?.len())).sum()
}
