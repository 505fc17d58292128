//! The command line: flags and dispatch.

mod data;
mod fetch;
mod list;
mod render;
mod show;
mod stats;
mod tokenizer;
mod validate;

use std::io::Write;

use clap::{Parser, Subcommand};
use dph_core::terminal::Failure;
use dph_data::Task;

pub(crate) use data::Data;

/// Download, inspect and check the data of tasks before training.
///
/// A task is the name of an embedded task (see `dph-data list`) or the path of a TOML file. Rows are read from
/// DATA/TASK/SPLIT.{jsonl,json,csv,tsv,parquet,txt}.
///
/// Tables and JSON go to stdout, everything else to stderr. Exit status: 0 success, 1 the work failed or `validate` found a
/// problem, 2 the request was wrong, for example a flag or a file that it names.
#[derive(Debug, Parser)]
#[command(name = "dph-data", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print JSON instead of tables and text
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the embedded tasks and the splits that exist
    List(Data),
    /// Download the splits of tasks from their repositories on the Hugging Face Hub
    ///
    /// The files are DATA/TASK/SPLIT.parquet, or other names that the task finds. Splits that are there cause no request. An
    /// interrupted download continues where it ended. Every file is compared with the size and the digest that the hub states.
    /// HF_TOKEN is a token for gated data sets, HF_ENDPOINT another address of the hub, HF_HUB_OFFLINE=1 forbids requests.
    Fetch(fetch::Fetch),
    /// Print documents: messages and candidates; * marks the gold candidate
    Show(show::Show),
    /// Print the tokens of conversations from stdin: text, ids and pieces of the prompt, the answer and its end
    ///
    /// A line is {"messages": [{"role": "user", "content": "…"}, …]}, or {"prompt": text or messages, "candidates": ["…", …]}.
    Render(render::Render),
    /// Report every problem of a task file, or of a file of rows for a task
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
            Command::Fetch(fetch) => fetch.run(self.json, out),
            Command::Show(show) => show.run(self.json, out),
            Command::Render(render) => render.run(self.json, &mut std::io::stdin().lock(), out),
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
