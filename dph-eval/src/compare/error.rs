//! [`CompareError`]: why two sides cannot be compared.

use crate::results::ResultsError;

/// Two sides that cannot be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// Results that cannot be read.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// There is no such scorer.
    #[error("{run} has no scorer `{scorer}`; {help}")]
    Scorer {
        /// The run.
        run: String,
        /// The scorer.
        scorer: String,
        /// The scorers that it has.
        help: String,
    },
    /// The two runs have no scorer in common.
    #[error(
        "{a} and {b} have no scorer in common; choose them with --scorer-a and --scorer-b. {a} has {of_a}; {b} has {of_b}"
    )]
    NoCommonScorer {
        /// The first run.
        a: String,
        /// The second run.
        b: String,
        /// Its scorers.
        of_a: String,
        /// Its scorers.
        of_b: String,
    },
    /// Both sides are the same scorer of the same run.
    #[error(
        "both sides are {scorer} of {run}; choose two scorers with --scorer-a and --scorer-b, or give a second run"
    )]
    SameSide {
        /// The run.
        run: String,
        /// The scorer.
        scorer: String,
    },
    /// Documents of the same name that are different ones.
    #[error(
        "{count} of the documents that both sides have differ, so the runs evaluated other data: {examples}"
    )]
    DifferentDocuments {
        /// How many.
        count: usize,
        /// The first ones, and in what they differ.
        examples: String,
    },
    /// The sides have no document in common.
    #[error("{a} and {b} have no document of a common task and metric in common")]
    NothingCommon {
        /// The first run.
        a: String,
        /// The second run.
        b: String,
    },
}
