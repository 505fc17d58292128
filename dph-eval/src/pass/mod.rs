//! [`Pass`]: many candidate sets through a language model.
//!
//! A pass computes scores, the features of a frozen model, and the reference log-probabilities of DPO. Its plan of batches
//! depends only on the sets, the model and the token budget, and is made before anything is resumed or left out. The numbers of a
//! batch therefore never depend on what else is computed: a batch is the unit of work.

mod check;
mod layout;
mod prefixes;
mod progress;
mod row;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::mpsc;
use std::thread;

use dph_core::{Batch, CandidateSet, PrefixRow, TargetTokens};
use dph_data::plan_batches;
use dph_model::Backbone;

pub(crate) use check::check_set;
pub use check::{ScoreError, Unscorable, check_sets};
pub use layout::RowLayout;
pub use progress::Progress;
pub(crate) use progress::ProgressCounter;
pub use row::PassRow;

use prefixes::{Item, Shared, share_prefixes};

/// The default token budget of a batch, padding included.
pub const DEFAULT_TOKEN_BUDGET: usize = 4096;

/// How many times the tokens of its prompt a row may have, beyond the token budget. So the prompts that are computed again are at most a
/// fifteenth of the work.
const PROMPTS_IN_A_ROW: usize = 16;

/// Batches that are laid out ahead of the device.
const AHEAD: usize = 2;

/// Many candidate sets as the batches of a language model.
#[derive(Debug)]
pub struct Pass<'a> {
    sets: Vec<&'a CandidateSet>,
    rows: Vec<PassRow<'a>>,
    /// The rows that are stored together, with the beginning of their prompts once.
    shared: Vec<Shared>,
    /// The indices in `shared` of every batch.
    plan: Vec<Vec<usize>>,
    layout: RowLayout,
    targets: TargetTokens,
    candidates: usize,
}

impl<'a> Pass<'a> {
    /// Plans the batches of `sets`, with the longest rows first. A batch has at most `token_budget` tokens, padding included,
    /// unless a single row has more. A larger budget uses the device better and needs more memory.
    ///
    /// # Errors
    ///
    /// If the model cannot score one of the sets, see [`check_sets`].
    pub fn new(
        backbone: &Backbone,
        sets: impl IntoIterator<Item = &'a CandidateSet>,
        targets: TargetTokens,
        token_budget: usize,
    ) -> Result<Self, ScoreError> {
        Self::plan(backbone, sets, targets, token_budget, false)
    }

    /// As [`new`](Self::new), but tokens that several prompts begin with, such as examples or a passage, are computed once for all
    /// sets that fit into a row, and a set with many candidates is several rows, so that its memory does not grow with them. The numbers are
    /// the same: on flex to the bit for sets of two candidates or more, elsewhere within the accuracy of f32.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn sharing_prefixes(
        backbone: &Backbone,
        sets: impl IntoIterator<Item = &'a CandidateSet>,
        targets: TargetTokens,
        token_budget: usize,
    ) -> Result<Self, ScoreError> {
        Self::plan(backbone, sets, targets, token_budget, backbone.is_packable())
    }

    fn plan(
        backbone: &Backbone,
        sets: impl IntoIterator<Item = &'a CandidateSet>,
        targets: TargetTokens,
        token_budget: usize,
        share: bool,
    ) -> Result<Self, ScoreError> {
        let sets: Vec<&CandidateSet> = sets.into_iter().collect();
        check_sets(backbone, sets.iter().copied())?;
        Ok(Self::arrange(RowLayout::new(backbone), sets, targets, token_budget, share))
    }

    fn arrange(
        layout: RowLayout,
        sets: Vec<&'a CandidateSet>,
        targets: TargetTokens,
        token_budget: usize,
        share: bool,
    ) -> Self {
        let (mut rows, mut candidates) = (Vec::new(), 0);
        for (owner, &set) in sets.iter().enumerate() {
            let most = if share { row_tokens(set.prompt.len(), token_budget) } else { usize::MAX };
            for set in layout.rows(set).into_iter().flat_map(|row| parts(row, most)) {
                let first = candidates;
                candidates += set.candidates.len();
                rows.push(PassRow { set, owner, candidates: first..candidates });
            }
        }
        let items: Vec<Item> =
            rows.iter().map(|row| Item { prompt: &row.set.prompt, tokens: row.set.packed_len() }).collect();
        let shared = match share {
            true => share_prefixes(&items, token_budget),
            false => items.iter().enumerate().map(alone).collect(),
        };
        let mut pass = Self { sets, shared, plan: Vec::new(), rows, layout, targets, candidates };
        let lengths: Vec<usize> =
            pass.shared.iter().map(|shared| pass.prefix_row(shared).packed_len()).collect();
        pass.plan = plan_batches(&lengths, token_budget);
        pass
    }

    /// The sets, in their order.
    pub fn sets(&self) -> &[&'a CandidateSet] {
        &self.sets
    }

    /// Number of batches.
    pub fn batches(&self) -> usize {
        self.plan.len()
    }

    /// Number of candidates of all sets.
    pub fn candidates(&self) -> usize {
        self.candidates
    }

    /// What a batch holds, in its order. The candidates of the batch are those of these rows, in the same order.
    pub fn rows(&self, batch: usize) -> impl Iterator<Item = &PassRow<'a>> {
        self.plan[batch].iter().flat_map(|&shared| &self.shared[shared].items).map(|&row| &self.rows[row])
    }

    /// Number of tokens of some batches, without padding. Each prompt and each shared beginning of prompts counts once.
    pub fn tokens(&self, batches: Range<usize>) -> usize {
        batches.flat_map(|batch| self.prefix_rows(batch)).map(|row| row.packed_len()).sum()
    }

    fn prefix_rows(&self, batch: usize) -> impl Iterator<Item = PrefixRow<'_>> {
        self.plan[batch].iter().map(|&shared| self.prefix_row(&self.shared[shared]))
    }

    fn prefix_row(&self, shared: &Shared) -> PrefixRow<'_> {
        let sets = shared.items.iter().map(|&row| &*self.rows[row].set);
        PrefixRow { prefix: shared.prefix, sets: sets.collect() }
    }

    /// Calls `compute` with each of `batches`, in their order. Another thread lays out the next batches meanwhile.
    ///
    /// # Errors
    ///
    /// The first error of `compute`, which ends the pass.
    pub fn run<E>(
        &self,
        batches: Range<usize>,
        mut compute: impl FnMut(usize, &Batch) -> Result<(), E>,
    ) -> Result<(), E> {
        let (send, receive) = mpsc::sync_channel(AHEAD);
        thread::scope(|scope| {
            scope.spawn(move || {
                for index in batches {
                    let rows: Vec<PrefixRow> = self.prefix_rows(index).collect();
                    let batch = Batch::pack_rows(&rows, self.targets, self.layout.padding);
                    if send.send((index, batch)).is_err() {
                        return;
                    }
                }
            });
            receive.into_iter().try_for_each(|(index, batch)| compute(index, &batch))
        })
    }

    /// Writes one value for each candidate of a batch to the candidate's place in `all`, which has one value for each
    /// candidate of all sets.
    pub fn scatter<T>(&self, batch: usize, values: impl IntoIterator<Item = T>, all: &mut [T]) {
        let places = self.rows(batch).flat_map(|row| row.candidates.clone());
        for (place, value) in places.zip(values) {
            all[place] = value;
        }
    }

    pub(crate) fn counter(&self) -> ProgressCounter {
        ProgressCounter::new(&self.rows, self.tokens(0..self.batches()))
    }
}

/// Number of tokens that are computed for sets, without padding: those of [`Pass::tokens`] for all batches. `is_packable` says whether the
/// candidates of a set may share a row. With `sharing`, a token budget, what several prompts begin with counts once for the rows that it
/// fits into, see [`Pass::sharing_prefixes`].
pub fn computed_tokens<'a>(
    is_packable: bool,
    sets: impl IntoIterator<Item = &'a CandidateSet>,
    sharing: Option<usize>,
) -> usize {
    let layout = RowLayout { is_packed: is_packable, padding: 0 };
    let share = sharing.is_some() && is_packable;
    let budget = sharing.unwrap_or(DEFAULT_TOKEN_BUDGET);
    let pass = Pass::arrange(layout, sets.into_iter().collect(), TargetTokens::None, budget, share);
    pass.tokens(0..pass.batches())
}

/// Most tokens of a row with a part of the candidates of a set. The prompt is computed once for each row, so a row has many times its tokens.
fn row_tokens(prompt: usize, token_budget: usize) -> usize {
    token_budget.max(prompt.saturating_mul(PROMPTS_IN_A_ROW))
}

/// The rows of a set, each with at most `most` tokens unless it is a single candidate.
fn parts(set: Cow<'_, CandidateSet>, most: usize) -> Vec<Cow<'_, CandidateSet>> {
    match set.packed_len() > most && set.candidates.len() > 1 {
        true => set.parts(most).map(Cow::Owned).collect(),
        false => vec![set],
    }
}

/// A row that is stored alone.
fn alone((index, item): (usize, &Item<'_>)) -> Shared {
    Shared { prefix: item.prompt.len(), items: vec![index] }
}
