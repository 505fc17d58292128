//! [`RowLayout`]: how candidate sets become the rows of a model's batches.

use std::borrow::Cow;

use dph_core::{Batch, CandidateSet, TargetTokens};
use dph_model::Backbone;

/// How candidate sets become rows: each set one row or, where the numbers of the model depend on the length of a sequence, a
/// row for each candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowLayout {
    /// Whether a row may hold all candidates of a set, see [`Backbone::is_packable`].
    pub is_packed: bool,
    /// The token id of padding.
    pub padding: u32,
}

impl RowLayout {
    /// The layout for a model.
    pub fn new(backbone: &Backbone) -> Self {
        Self { is_packed: backbone.is_packable(), padding: backbone.pad_token() }
    }

    /// The rows of a set, in the order of its candidates.
    pub fn rows(self, set: &CandidateSet) -> Vec<Cow<'_, CandidateSet>> {
        match self.is_packed {
            true => vec![Cow::Borrowed(set)],
            false => set.one_by_one().map(Cow::Owned).collect(),
        }
    }

    /// All candidates of `sets` in one batch, set by set.
    pub fn batch<'a>(self, sets: impl IntoIterator<Item = &'a CandidateSet>, targets: TargetTokens) -> Batch {
        let rows: Vec<Cow<CandidateSet>> = sets.into_iter().flat_map(|set| self.rows(set)).collect();
        Batch::pack(rows.iter().map(|row| &**row), targets, self.padding)
    }
}
