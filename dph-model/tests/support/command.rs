//! The real program.
#![allow(dead_code, clippy::unwrap_used)]

#[path = "../../../dph-core/tests/support/run.rs"]
mod run_of;

use std::path::Path;

use assert_cmd::Command;

pub use run_of::Run;

/// Runs `dph-model` in a directory.
pub fn run(dir: &Path, args: &[&str]) -> Run {
    run_with(dir, args, &[])
}

/// Runs `dph-model` in a directory, with these variables and none of the hub that the tests themselves have.
pub fn run_with(dir: &Path, args: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = Command::cargo_bin("dph-model").unwrap();
    for name in ["HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE", "XDG_CACHE_HOME"] {
        command.env_remove(name);
    }
    // A proxy would be asked for the hub on this machine.
    command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1").env("NO_COLOR", "1");
    command.current_dir(dir).args(args).envs(variables.iter().copied());
    Run::of(&mut command)
}
