//! The data of a step of joint training: batches of candidate sets.

use std::collections::BTreeMap;
use std::ops::Range;

use dph_core::{Batch, CandidateSpan, SequenceReduction};

use super::probes::Probe;

/// The data of one optimiser step.
#[derive(Debug, Clone, Default)]
pub(crate) struct JointStep {
    /// The number of the step, from 1.
    pub step: usize,
    /// The sets of the step, divided into micro-batches.
    pub parts: Vec<JointBatch>,
}

/// A micro-batch of candidate sets.
#[derive(Debug, Clone, Default)]
pub(crate) struct JointBatch {
    pub batch: Batch,
    /// The candidates of each set, and the index of the gold candidate within the set.
    pub sets: Vec<(Range<usize>, usize)>,
    /// The log-probability of every candidate under the reference model, summed over its targets. Empty if no objective needs
    /// it.
    pub reference_sums: Vec<f32>,
    /// The human ratings of each gold candidate, by attribute.
    pub attributes: Vec<BTreeMap<String, f32>>,
    /// The probes of the gold answer of each set; empty without probes.
    pub probes: Vec<Probe>,
    /// The names of the sets, for messages.
    pub ids: Vec<String>,
}

impl JointBatch {
    /// The indices of the targets of gold candidates in the batch's targets.
    pub fn gold_targets(&self) -> Vec<usize> {
        let mut is_gold = vec![false; self.batch.candidates()];
        for (candidates, gold) in &self.sets {
            is_gold[candidates.start + gold] = true;
        }
        let targets = self.batch.targets.iter().enumerate();
        targets.filter(|(_, target)| is_gold[target.candidate]).map(|(index, _)| index).collect()
    }

    /// The log-probability of every candidate under the reference model. Empty if no objective needs it.
    pub fn reference(&self, how: SequenceReduction) -> Vec<f32> {
        let mut counts = vec![0usize; self.batch.candidates()];
        for target in &self.batch.targets {
            counts[target.candidate] += 1;
        }
        let values = self.reference_sums.iter().zip(counts).map(|(&sum, count)| match how {
            SequenceReduction::Sum => sum,
            SequenceReduction::Mean => sum / count.max(1) as f32,
        });
        values.collect()
    }

    /// The token ranges of each set's gold conversation.
    pub fn gold_conversations(&self) -> Vec<CandidateSpan> {
        let spans = self.batch.spans();
        self.sets.iter().map(|(candidates, gold)| spans[candidates.start + gold].clone()).collect()
    }

    /// Number of sets with several candidates.
    pub fn choices(&self) -> usize {
        self.sets.iter().filter(|(candidates, _)| candidates.len() > 1).count()
    }
}

/// Totals over the parts of a step.
#[derive(Clone, Copy)]
pub(crate) struct Totals {
    pub sets: usize,
    /// Number of sets with several candidates.
    pub choices: usize,
    /// Number of targets of gold answers.
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

    /// The number of items over which the metrics are averaged.
    pub fn weight(self) -> usize {
        if self.choices > 0 { self.choices } else { self.targets }
    }
}
