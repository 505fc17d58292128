//! Programs in Python, where it is installed with what they import.

use std::path::Path;
use std::process::Command;

use super::say::say;

/// The exit status of a program that lacks a package.
const LACKS: i32 = 77;

/// Runs a program with torch and transformers on the interpreter that `DPH_PYTHON` names, or `python3`, and returns what it printed.
/// `None` if these packages are not there, which is said on stderr.
///
/// # Panics
///
/// If the program fails.
pub fn python(program: &str, arguments: &[&Path]) -> Option<String> {
    python_with(&["torch", "transformers"], program, arguments)
}

/// As [`python`], with other packages.
///
/// # Panics
///
/// If the program fails.
pub fn python_with(packages: &[&str], program: &str, arguments: &[&Path]) -> Option<String> {
    let interpreter = std::env::var_os("DPH_PYTHON").unwrap_or_else(|| "python3".into());
    let packages = packages.join(", ");
    let import =
        format!("import sys\ntry:\n    import {packages}\nexcept ImportError:\n    sys.exit({LACKS})\n");
    let output = Command::new(&interpreter)
        .args(["-c", &(import + program)])
        .args(arguments)
        .env("HF_HUB_OFFLINE", "1")
        .output();
    match output {
        Ok(output) if output.status.success() => Some(String::from_utf8(output.stdout).unwrap()),
        Ok(output) if output.status.code() != Some(LACKS) => {
            panic!("{}", String::from_utf8_lossy(&output.stderr))
        }
        _ => {
            say(&format!(
                "PYTHON: {interpreter:?} has not all of {packages}; set DPH_PYTHON. The test is left out"
            ));
            None
        }
    }
}
