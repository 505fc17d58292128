//! `dph-train`: training from one TOML file. This binary parses flags and prints output; the library does the work.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use dph_core::terminal;

#[global_allocator]
static ALLOCATOR: terminal::Allocator = terminal::Allocator;

fn main() -> ExitCode {
    terminal::run(|out| cli::Arguments::parse().run(out))
}
