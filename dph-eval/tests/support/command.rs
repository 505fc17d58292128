//! The real program.
#![allow(dead_code, clippy::unwrap_used)]

#[path = "../../../dph-core/tests/support/run.rs"]
mod run_of;

use std::path::Path;

use assert_cmd::Command;

pub use run_of::Run;

/// Runs `dph-eval` in a directory.
pub fn run(dir: &Path, args: &[&str]) -> Run {
    run_with(dir, args, "")
}

/// Runs `dph-eval` in a directory, with something on stdin.
pub fn run_with(dir: &Path, args: &[&str], stdin: &str) -> Run {
    let mut command = Command::cargo_bin("dph-eval").unwrap();
    command.current_dir(dir).env_remove("DPH_DATA").args(args).write_stdin(stdin);
    Run::of(&mut command)
}
