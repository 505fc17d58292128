//! [`run`]: the frame of every program.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use super::allocator::keep_freed_memory;
use super::failure::Failure;
use super::say::say;
use crate::panics::hide_guarded_panics;

/// Runs a program, which writes its output to the given writer (stdout), and decides its exit status: 0 done, 1 the work
/// failed, 2 the request was wrong. A failure is reported on stderr.
pub fn run(work: impl FnOnce(&mut dyn Write) -> Result<(), Failure>) -> ExitCode {
    keep_freed_memory();
    install_hook();
    hide_guarded_panics();
    let mut out = BufWriter::new(io::stdout());
    match work(&mut out).and_then(|()| Ok(out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // What was printed before the failure belongs to the reader. If that fails too, the first failure counts.
            drop(out.flush());
            match failure.status() {
                0 => ExitCode::SUCCESS,
                status => {
                    say(&failure.to_string());
                    ExitCode::from(status)
                }
            }
        }
    }
}

/// Decides how reports look: long lines are not broken, as messages hold paths and lines to be copied, and causes are not
/// listed, as every message includes its own. [`run`] calls it.
pub fn install_hook() {
    let handler = || miette::MietteHandlerOpts::new().wrap_lines(false).without_cause_chain().build();
    // This only fails if there is a hook already, which is then used.
    let _ = miette::set_hook(Box::new(move |_| Box::new(handler())));
}
