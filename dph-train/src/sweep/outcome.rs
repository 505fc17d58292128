//! [`SweepOutcome`]: the results of a sweep.

use dph_eval::{Results, Table};

use crate::error::TrainError;

/// What a sweep came to.
#[derive(Debug)]
pub struct SweepOutcome {
    /// The results of every variant that went well, each called by its label.
    pub results: Vec<Results>,
    /// The table of all: a row for each variant.
    pub table: Table,
    /// The label of every variant that failed, and why.
    pub failed: Vec<(String, TrainError)>,
}
