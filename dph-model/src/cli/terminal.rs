//! What is said to people on stderr, by this program, `dph-eval` and `dph-train`.

use std::io::{self, Write};

/// Prints a line for people. If nobody listens, that is no reason to stop.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{}", line.trim_end());
}

/// Long lines are not broken: messages hold paths and lines to be copied. Causes are not listed: every message says its own.
pub fn install_hook() {
    let handler = || miette::MietteHandlerOpts::new().wrap_lines(false).without_cause_chain().build();
    // Only fails if there is a hook already; then that one is used.
    let _ = miette::set_hook(Box::new(move |_| Box::new(handler())));
}
