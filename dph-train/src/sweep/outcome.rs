//! [`SweepOutcome`]: the results of a sweep.

use dph_eval::{Results, Table};

use crate::error::TrainError;

/// The results of a sweep.
#[derive(Debug)]
pub struct SweepOutcome {
    /// The results of every successful variant, named by its label; in a sweep over tasks those of all tasks together.
    pub results: Vec<Results>,
    /// The number of successful variants.
    pub done: usize,
    /// The table of the sweep, with a row for each variant. If several seeds are swept, the rows are means over the seeds.
    pub table: Table,
    /// The label and the error of every failed variant.
    pub failed: Vec<(String, TrainError)>,
}
