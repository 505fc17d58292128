//! [`log_to_stderr`]: what the libraries log.

use std::io::{self, IsTerminal};

use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::{fmt, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, registry};

use super::say;

/// Prints what is logged on stderr. `logged` says which records, in the syntax of `RUST_LOG`, which comes first if it is set.
pub fn log_to_stderr(logged: &str) {
    fmt()
        .without_time()
        .with_target(false)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(chosen(logged))
        .init();
}

/// As [`log_to_stderr`], with the time of each record, and without details of other crates, which may be contents of requests.
pub fn log_with_times_to_stderr(logged: &str) {
    let is_ours_or_no_detail =
        |record: &Metadata<'_>| record.target().starts_with("dph_") || *record.level() <= LevelFilter::INFO;
    let layer = layer().with_target(false).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let filtered = registry().with(filter_fn(is_ours_or_no_detail)).with(chosen(logged));
    filtered.with(layer).init();
}

fn chosen(logged: &str) -> EnvFilter {
    EnvFilter::try_from_default_env().unwrap_or_else(|error| {
        if std::env::var_os(EnvFilter::DEFAULT_ENV).is_some() {
            say(&format!("warning: RUST_LOG is ignored: {error}"));
        }
        EnvFilter::new(logged)
    })
}
