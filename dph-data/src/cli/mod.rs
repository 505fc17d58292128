//! The command line: flags, dispatch, and the one place that decides the exit status.

mod failure;
mod list;
mod show;
mod stats;
mod table;
mod validate;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub(crate) use failure::Failure;

/// Look at tasks and their data before training on them.
///
/// A task is an embedded one (see `dph-data list`) or the path of a TOML file. Rows are looked for in
/// DATA/TASK/SPLIT.{jsonl,json,csv,tsv,parquet,txt}.
///
/// Exit status: 0 done, 1 the work failed (also: `validate` found a problem), 2 the request was wrong.
#[derive(Debug, Parser)]
#[command(name = "dph-data", version)]
struct Cli {
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
}

/// Where the data sets are.
#[derive(Debug, Args)]
pub(crate) struct Data {
    /// Root of the data sets, or one file of rows
    #[arg(long = "data", value_name = "DIR", env = "DPH_DATA", default_value = "data")]
    pub root: PathBuf,
}

pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let result = run(&cli, &mut out).and_then(|()| Ok(out.flush()?));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            // What was printed before the failure belongs to the reader; that it may fail too changes nothing.
            drop(out.flush());
            drop(writeln!(io::stderr(), "{failure}"));
            ExitCode::from(failure.status())
        }
    }
}

fn run(cli: &Cli, out: &mut dyn Write) -> Result<(), Failure> {
    match &cli.command {
        Command::List(data) => list::list(data, cli.json, out),
        Command::Show(show) => show.run(cli.json, out),
        Command::Validate(validate) => validate.run(cli.json, out),
        Command::Stats(stats) => stats.run(cli.json, out),
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
