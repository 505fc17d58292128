//! The command line: flags and dispatch.

mod data;
mod list;
mod show;
mod stats;
mod validate;

use std::io::Write;

use clap::{Parser, Subcommand};
use dph_core::terminal::Failure;
use dph_data::Task;

pub(crate) use data::Data;

/// Look at tasks and their data before training on them.
///
/// A task is an embedded one (see `dph-data list`) or the path of a TOML file. Rows are looked for in
/// DATA/TASK/SPLIT.{jsonl,json,csv,tsv,parquet,txt}.
///
/// Exit status: 0 done, 1 the work failed (also: `validate` found a problem), 2 the request was wrong.
#[derive(Debug, Parser)]
#[command(name = "dph-data", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print JSON in place of tables and text
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the embedded tasks, and the splits that are there
    List(Data),
    /// Print documents as a model gets them: messages and candidates, the gold one marked with *
    Show(show::Show),
    /// Report every problem of a task file, or of a file of rows with a task
    Validate(validate::Validate),
    /// Count rows, skipped rows by reason, candidates and tokens
    Stats(stats::Stats),
    /// Print the JSON schema of task files: every key with its documentation
    Schema,
}

impl Cli {
    pub(crate) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        match &self.command {
            Command::List(data) => list::list(data, self.json, out),
            Command::Show(show) => show.run(self.json, out),
            Command::Validate(validate) => validate.run(self.json, out),
            Command::Stats(stats) => stats.run(self.json, out),
            Command::Schema => Ok(writeln!(out, "{:#}", Task::schema())?),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_flags_are_consistent() {
        super::Cli::command().debug_assert();
    }
}
