//! [`Spread`]: the number after ±, and its meaning.

use std::fmt;

use dph_core::terminal::numbers::counted;

use crate::results::{Measurement, Results};

/// The uncertainty of a value; a fraction, like the value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Spread {
    /// The standard error over the documents of one run.
    StandardError(f64),
    /// The standard deviation over runs with different seeds.
    StandardDeviation { std: f64, runs: usize },
}

impl Spread {
    /// The number.
    pub(crate) fn value(self) -> f64 {
        match self {
            Self::StandardError(value) | Self::StandardDeviation { std: value, .. } => value,
        }
    }
}

impl Measurement {
    /// The number after ±; `None` if there is none.
    pub(crate) fn spread(&self) -> Option<Spread> {
        let Self { stderr, std, runs, .. } = *self;
        let deviation = std.map(|std| Spread::StandardDeviation { std, runs: runs.unwrap_or_default() });
        deviation.or(stderr.map(Spread::StandardError))
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StandardError(_) => write!(f, "standard error"),
            Self::StandardDeviation { runs, .. } => {
                write!(f, "standard deviation over {}", counted(*runs, "seed"))
            }
        }
    }
}

/// The meaning of ± in the values of a run; `None` if no value has a spread.
pub(crate) fn meaning(run: &Results) -> Option<String> {
    let tasks = run.results.iter().map(|result| result.measurement);
    let mut all = tasks.chain(run.suites.iter().map(|result| result.measurement));
    all.find_map(|measurement| measurement.spread()).map(|spread| spread.to_string())
}

/// The meaning of ± in all of these runs; `None` if no value has a spread, or the runs differ.
pub(crate) fn common_meaning(runs: &[Results]) -> Option<String> {
    let mut meanings = runs.iter().filter_map(meaning);
    let first = meanings.next()?;
    meanings.all(|other| other == first).then_some(first)
}
