//! [`PassRow`]: what a row of a batch holds, or a part of a row.

use std::borrow::Cow;
use std::ops::Range;

use dph_core::CandidateSet;

/// A candidate set in a batch, or one of its candidates where the model cannot pack them.
#[derive(Debug, Clone)]
pub struct PassRow<'a> {
    /// The candidates, with their prompt.
    pub set: Cow<'a, CandidateSet>,
    /// Index of the set that they are from.
    pub owner: usize,
    /// The candidates, counted over all sets in their order.
    pub candidates: Range<usize>,
}
