//! `dph-train`: training from one TOML file. The work is in the library; here are flags and output.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use dph_core::terminal;

#[global_allocator]
static ALLOCATOR: terminal::Allocator = terminal::Allocator;

fn main() -> ExitCode {
    terminal::run(|out| cli::Arguments::parse().run(out))
}
