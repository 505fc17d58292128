//! [`CalibrationError`]: why a run cannot be calibrated.

use std::path::PathBuf;

use dph_core::Style;
use dph_core::suggestion::did_you_mean;

use crate::file_error::FileError;
use crate::results::ResultsError;

/// A calibration that cannot be made, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// Results that cannot be read.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// The calibration cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no such scorer or task in the run.
    #[error("the run has no {kind} `{name}`; {help}")]
    Unknown {
        /// `scorer` or `task`.
        kind: &'static str,
        /// The name.
        name: String,
        /// The nearest name, or all names.
        help: String,
    },
    /// There is nothing to calibrate on.
    #[error("no document has a right answer among several candidates, so there is nothing to calibrate on")]
    NoDocuments,
    /// There is no calibration.
    #[error(
        "{}: there is no calibration here; make one with `dph-eval calibrate RUN`, with `--out {}` if the results are elsewhere",
        path.display(), path.display()
    )]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// The calibration has no threshold for the scorer.
    #[error(
        "the calibration by {name} has no threshold for `{scorer}`; make it anew with `dph-eval calibrate RUN`"
    )]
    NoThreshold {
        /// The results that the calibration is of.
        name: String,
        /// The scorer.
        scorer: String,
    },
    /// The calibration is of documents in another style.
    #[error(
        "the calibration of {name} is of documents in the style `{found}`, and these are in the style `{style}`, whose values have another scale; \
         evaluate with `dph-eval bench … --style {style} --out RUN` and calibrate that, or give a number"
    )]
    OtherStyle {
        /// The results that the calibration is of.
        name: String,
        /// Their style.
        found: Style,
        /// The style that is needed.
        style: Style,
    },
    /// The calibration was made with another head.
    #[error(
        "the calibration was made with the preference head {head} of {name}, but the head of {model} is {found}: the rewards of two heads have \
         different scales; evaluate this model with `dph-eval bench … --out RUN` and calibrate it with `dph-eval calibrate RUN`, or give a number"
    )]
    OtherHead {
        /// The results that the calibration is of.
        name: String,
        /// The hash of their head.
        head: String,
        /// The model.
        model: String,
        /// The hash of its head.
        found: String,
    },
    /// The file has a newer format.
    #[error("{}: format {format} is newer than this program; update the program", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
}

impl CalibrationError {
    pub(super) fn new(kind: &'static str, name: &str, known: &[String]) -> Self {
        let help = did_you_mean(name, known.iter().map(String::as_str));
        let help = help.unwrap_or_else(|| format!("it has {}", known.join(", ")));
        Self::Unknown { kind, name: name.into(), help }
    }
}
