//! `dph-model`: look at models and convert their files. All the work is in the library; here are flags and glue.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
