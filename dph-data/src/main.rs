//! `dph-data`: look at tasks and their data before training on them.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
