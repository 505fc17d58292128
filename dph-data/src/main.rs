//! `dph-data`: look at tasks and their data before training on them.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use dph_core::terminal;

#[global_allocator]
static ALLOCATOR: terminal::Allocator = terminal::Allocator;

fn main() -> ExitCode {
    terminal::run(|out| cli::Cli::parse().run(out))
}
