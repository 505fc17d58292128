//! [`log_to_stderr`]: what the libraries log.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{DefaultFields, Format, Full};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{SubscriberBuilder, fmt};

/// Prints what is logged on stderr. `logged` says which records, in the syntax of `RUST_LOG`, which comes first if it is set.
pub fn log_to_stderr(logged: &str) {
    log(fmt().without_time(), logged);
}

/// As [`log_to_stderr`], with the time of each record.
pub fn log_with_times_to_stderr(logged: &str) {
    log(fmt(), logged);
}

fn log<T: FormatTime + Send + Sync + 'static>(
    format: SubscriberBuilder<DefaultFields, Format<Full, T>>,
    logged: &str,
) {
    format
        .with_target(false)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(logged)))
        .init();
}
