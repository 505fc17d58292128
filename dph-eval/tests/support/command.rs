//! The real program.
#![allow(dead_code)]

use std::path::Path;
use std::process::Command;

pub use dph_core::testing::Run;

/// Runs `dph-eval` in a directory.
pub fn run(dir: &Path, args: &[&str]) -> Run {
    run_with(dir, args, "")
}

/// Runs `dph-eval` in a directory, with something on stdin.
pub fn run_with(dir: &Path, args: &[&str], stdin: &str) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dph-eval"));
    command.current_dir(dir).env_remove("DPH_DATA").args(args);
    Run::with_stdin(&mut command, stdin)
}

/// A message without the line breaks of the terminal.
pub fn joined(message: &str) -> String {
    message.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}
