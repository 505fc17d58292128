//! [`PassRow`]: what a row of a batch holds.

use std::borrow::Cow;
use std::ops::Range;

use dph_core::CandidateSet;

/// A row of a batch: a candidate set, or one of its candidates where the model cannot pack them.
#[derive(Debug, Clone)]
pub struct PassRow<'a> {
    /// The candidates of the row, with their prompt.
    pub set: Cow<'a, CandidateSet>,
    /// Index of the set that they are from.
    pub owner: usize,
    /// The candidates of the row, counted over all sets in their order.
    pub candidates: Range<usize>,
}
