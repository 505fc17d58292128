//! [`log_to_stderr`]: what the libraries log.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Prints what is logged on stderr. `logged` says which records, in the syntax of `RUST_LOG`, which comes first if it is set.
pub fn log_to_stderr(logged: &str) {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .without_time()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(logged)))
        .init();
}
