//! [`Pass`]: many candidate sets through a language model.
//!
//! A pass computes scores, the features of a frozen model, and the reference log-probabilities of DPO. Its plan of batches
//! depends only on the sets, the model and the token budget, and is made before anything is resumed or left out. The numbers of a
//! batch therefore never depend on what else is computed: a batch is the unit of work.

mod check;
mod layout;
mod progress;
mod row;

use std::ops::Range;
use std::sync::mpsc;
use std::thread;

use dph_core::{Batch, CandidateSet, TargetTokens};
use dph_data::plan_batches;
use dph_model::Backbone;

pub(crate) use check::check_set;
pub use check::{ScoreError, Unscorable, check_sets};
pub use layout::RowLayout;
pub use progress::Progress;
pub(crate) use progress::ProgressCounter;
pub use row::PassRow;

/// The default token budget of a batch, padding included.
pub const DEFAULT_TOKEN_BUDGET: usize = 4096;

/// Batches that are laid out ahead of the device.
const AHEAD: usize = 2;

/// Many candidate sets as the batches of a language model.
#[derive(Debug)]
pub struct Pass<'a> {
    sets: Vec<&'a CandidateSet>,
    rows: Vec<PassRow<'a>>,
    /// The rows of every batch.
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
        let sets: Vec<&CandidateSet> = sets.into_iter().collect();
        check_sets(backbone, sets.iter().copied())?;
        let layout = RowLayout::new(backbone);
        let (mut rows, mut candidates) = (Vec::new(), 0);
        for (owner, &set) in sets.iter().enumerate() {
            for set in layout.rows(set) {
                let first = candidates;
                candidates += set.candidates.len();
                rows.push(PassRow { set, owner, candidates: first..candidates });
            }
        }
        let lengths: Vec<usize> = rows.iter().map(|row| row.set.packed_len()).collect();
        Ok(Self { sets, plan: plan_batches(&lengths, token_budget), rows, layout, targets, candidates })
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

    /// The rows of a batch, in its order. The candidates of the batch are the candidates of its rows, in the same order.
    pub fn rows(&self, batch: usize) -> impl Iterator<Item = &PassRow<'a>> {
        self.plan[batch].iter().map(|&row| &self.rows[row])
    }

    /// Number of tokens of some batches, without padding.
    pub fn tokens(&self, batches: Range<usize>) -> usize {
        batches.flat_map(|batch| self.rows(batch)).map(|row| row.set.packed_len()).sum()
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
                    let sets = self.rows(index).map(|row| &*row.set);
                    let batch = Batch::pack(sets, self.targets, self.layout.padding);
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
        ProgressCounter::new(&self.rows)
    }
}
