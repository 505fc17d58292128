//! The command line: flags and dispatch.

mod convert;
mod inspect;
mod parts;
mod summary;
mod tokenizer;

use std::io::Write;

use clap::{Parser, Subcommand};
use dph_core::terminal::Failure;

/// Inspect language models and convert their files.
///
/// PATH is a directory in the layout of Hugging Face (config.json with safetensors or PyTorch weights, whole or in
/// shards), a .gguf file, or hf:owner/name[@revision], a repository of the Hugging Face hub, which is downloaded if
/// it is not in the cache.
///
/// Tables and JSON go to stdout, everything else to stderr. Exit status: 0 success, 1 the work failed, 2 the request was
/// wrong, for example a flag or a file that it names.
#[derive(Debug, Parser)]
#[command(name = "dph-model", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Inspect(inspect::Inspect),
    Convert(convert::Convert),
}

impl Cli {
    pub(crate) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        match &self.command {
            Command::Inspect(inspect) => inspect.run(out),
            Command::Convert(convert) => convert.run(),
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
