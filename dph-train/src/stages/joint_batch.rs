//! What a step of joint training works on: candidate sets that go through the model together.

use std::collections::BTreeMap;
use std::ops::Range;

use dph_core::{Batch, CandidateSpan};

/// One optimiser step.
#[derive(Debug, Clone, Default)]
pub(crate) struct JointStep {
    /// Its number, from 1.
    pub step: usize,
    /// The sets of the step, in portions that go through the model at once.
    pub parts: Vec<JointBatch>,
}

/// Candidate sets in training.
#[derive(Debug, Clone, Default)]
pub(crate) struct JointBatch {
    pub batch: Batch,
    /// The candidates of each set, and the gold one within it.
    pub sets: Vec<(Range<usize>, usize)>,
    /// What the reference gives every candidate: the sum of the log-probabilities of its targets; empty where no
    /// objective asks.
    pub reference: Vec<f32>,
    /// What people gave each gold candidate.
    pub attributes: Vec<BTreeMap<String, f32>>,
    /// Names of the sets, for messages.
    pub ids: Vec<String>,
}

impl JointBatch {
    /// The targets of gold candidates, as indices into the batch's targets.
    pub fn gold_targets(&self) -> Vec<usize> {
        let mut is_gold = vec![false; self.batch.candidates()];
        for (candidates, gold) in &self.sets {
            is_gold[candidates.start + gold] = true;
        }
        let targets = self.batch.targets.iter().enumerate();
        targets.filter(|(_, target)| is_gold[target.candidate]).map(|(index, _)| index).collect()
    }

    /// Where the tokens of each set's gold conversation are.
    pub fn gold_conversations(&self) -> Vec<CandidateSpan> {
        let spans = self.batch.spans();
        self.sets.iter().map(|(candidates, gold)| spans[candidates.start + gold].clone()).collect()
    }

    /// Sets in which something is compared.
    pub fn choices(&self) -> usize {
        self.sets.iter().filter(|(candidates, _)| candidates.len() > 1).count()
    }
}

/// What the parts of a step have in all.
#[derive(Clone, Copy)]
pub(crate) struct Totals {
    pub sets: usize,
    /// Sets in which something is compared.
    pub choices: usize,
    /// Targets of gold answers.
    pub targets: usize,
}

impl Totals {
    pub fn count(parts: &[JointBatch]) -> Self {
        Self {
            sets: parts.iter().map(|part| part.sets.len()).sum(),
            choices: parts.iter().map(JointBatch::choices).sum(),
            targets: parts.iter().map(|part| part.gold_targets().len()).sum(),
        }
    }

    /// What the metrics are a mean over.
    pub fn weight(self) -> usize {
        if self.choices > 0 { self.choices } else { self.targets }
    }
}
