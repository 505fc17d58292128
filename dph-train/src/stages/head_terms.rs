//! [`HeadTerms`]: what is minimised of a preference head, wherever its rewards come from.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use dph_core::{Pairs, PreferenceHead, SteerBatch, SteerObjective, Term, select_rows};

use crate::experiment::Objective;

/// The terms of a head's objectives, as far as they are given.
pub(super) struct HeadTerms {
    pub dph: Option<Term>,
    pub steer: Option<Term>,
    pub orthogonality: Option<Term>,
}

/// Candidate sets, and what people gave them.
pub(super) struct LabelledSets<'a> {
    /// The candidates of each set, and the gold one within it.
    pub sets: &'a [(Range<usize>, usize)],
    /// What people gave each gold candidate.
    pub attributes: &'a [BTreeMap<String, f32>],
}

impl HeadTerms {
    /// Those of rewards `[candidates, heads]` of heads with these names.
    pub fn compute(
        objective: &Objective,
        head: &PreferenceHead,
        names: &[String],
        rewards: &Tensor<2>,
        labelled: &LabelledSets<'_>,
    ) -> Self {
        let dph = objective.dph.map(|dph| {
            // The objective is that of the first head.
            let first = rewards.clone().narrow(1, 0, 1).squeeze_dim(1);
            dph.forward_pairs(first, &Pairs::all(labelled.sets.iter().cloned()))
        });
        let steer = objective.steer.map(|steer| steered(steer, names, rewards, labelled));
        let orthogonality = objective.orthogonality.and_then(|term| term.forward(head.orthogonal_matrices()));
        Self { dph, steer, orthogonality }
    }

    /// All of them, in the order of the objective's metrics.
    pub fn into_terms(self) -> Vec<Term> {
        [self.dph, self.steer, self.orthogonality].into_iter().flatten().collect()
    }
}

/// The rewards of each set's gold candidate against what people gave it.
fn steered(
    steer: SteerObjective,
    names: &[String],
    rewards: &Tensor<2>,
    labelled: &LabelledSets<'_>,
) -> Term {
    let device = rewards.device();
    let gold = labelled.sets.iter().map(|(candidates, gold)| candidates.start + gold);
    let count = labelled.sets.len();
    let batch = SteerBatch {
        rewards: select_rows(rewards.clone(), gold),
        weights: Tensor::ones([count], &device),
        sequences: (0..count).collect(),
        labels: labels(names, labelled.attributes, &device),
    };
    steer.forward(batch).term
}

/// What the reward heads of these names are to give, `[sets, heads]`.
fn labels(names: &[String], attributes: &[BTreeMap<String, f32>], device: &Device) -> Tensor<2> {
    let of_set = |attributes: &BTreeMap<String, f32>| -> Vec<f32> {
        let value = |name| attributes.get(name).copied();
        names.iter().map(|name| value(name).expect("only sets with all attributes are kept")).collect()
    };
    let labels: Vec<f32> = attributes.iter().flat_map(of_set).collect();
    Tensor::from_data(TensorData::new(labels, [attributes.len(), names.len()]), device)
}
