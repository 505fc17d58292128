//! The command line: flags, dispatch, and the one place that decides the exit status.

mod convert;
mod digits;
mod failure;
mod inspect;
mod parts;
mod summary;
mod table;
mod terminal;
mod tokenizer;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// Look at language models and convert their files.
///
/// PATH is a directory in the layout of Hugging Face (config.json with safetensors or PyTorch weights, whole or in shards), a
/// .gguf file, or hf:owner/name[@revision], a repository of the Hugging Face hub, which is downloaded where it is not in the
/// cache.
///
/// Tables and JSON go to stdout, everything else to stderr. Exit status: 0 done, 1 the work failed, 2 the request was wrong.
#[derive(Debug, Parser)]
#[command(name = "dph-model", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Inspect(inspect::Inspect),
    Convert(convert::Convert),
}

/// Runs the program and decides its exit status, here and nowhere else.
pub(crate) fn main() -> ExitCode {
    terminal::install_hook();
    let cli = Cli::parse();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let result = match &cli.command {
        Command::Inspect(inspect) => inspect.run(&mut out),
        Command::Convert(convert) => convert.run(),
    };
    match result.and_then(|()| Ok(out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            // What was printed before the failure belongs to the reader; that it may fail too changes nothing.
            drop(out.flush());
            terminal::say(&failure.to_string());
            ExitCode::from(failure.status())
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
