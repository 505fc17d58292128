//! The real program.
#![allow(dead_code)]

use std::path::Path;
use std::process::Command;

pub use dph_core::testing::Run;

/// Runs `dph-model` in a directory.
pub fn run(dir: &Path, args: &[&str]) -> Run {
    run_with(dir, args, &[])
}

/// Runs `dph-model` in a directory, with these variables and none of the hub that the tests themselves have.
pub fn run_with(dir: &Path, args: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dph-model"));
    for name in ["HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE", "XDG_CACHE_HOME"] {
        command.env_remove(name);
    }
    // A proxy would be asked for the hub on this machine.
    command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1").env("NO_COLOR", "1");
    command.current_dir(dir).args(args).envs(variables.iter().copied());
    Run::new(&mut command)
}
