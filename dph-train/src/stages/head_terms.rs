//! [`HeadTerms`]: the loss terms of a preference head, for a frozen or a trained language model.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use dph_core::{Pairs, PreferenceHead, SteerBatch, SteerObjective, Term, select_rows};

use super::probes::{HeadRewards, Probe};
use crate::experiment::Objective;

/// The terms of the given objectives of a head.
pub(super) struct HeadTerms {
    pub dph: Option<Term>,
    pub steer: Option<Term>,
    pub likelihood: Option<Term>,
    pub orthogonality: Option<Term>,
}

/// Candidate sets and their human ratings.
pub(super) struct LabelledSets<'a> {
    /// The candidates of each set, and the index of the gold candidate within the set.
    pub sets: &'a [(Range<usize>, usize)],
    /// The human ratings of each gold candidate, by attribute.
    pub attributes: &'a [BTreeMap<String, f32>],
    /// The mean log-likelihood per token of each candidate; empty if no objective needs it.
    pub log_likelihoods: &'a [f32],
    /// The probes of the gold answer of each set; empty without probes.
    pub probes: &'a [Probe],
}

impl HeadTerms {
    /// Computes the terms from the rewards of reward heads with the given names.
    pub fn compute(
        objective: &Objective,
        head: &PreferenceHead,
        names: &[String],
        rewards: &HeadRewards,
        labelled: &LabelledSets<'_>,
    ) -> Self {
        let pairs = Pairs::all(labelled.sets.iter().cloned());
        // `dph` and `likelihood` train only the first reward head.
        let first = || rewards.candidates.clone().narrow(1, 0, 1).squeeze_dim(1);
        let dph = objective.dph.map(|dph| dph.forward_pairs(first(), &pairs));
        let likelihood = objective.likelihood.map(|likelihood| {
            let log_likelihoods = Tensor::from_data(labelled.log_likelihoods, &rewards.candidates.device());
            likelihood.forward_pairs(first(), log_likelihoods, &pairs)
        });
        let steer = objective.steer.map(|steer| steered(steer, names, rewards, labelled));
        let orthogonality = objective.orthogonality.and_then(|term| term.forward(head.orthogonal_matrices()));
        Self { dph, steer, likelihood, orthogonality }
    }

    /// All terms, in the order of the objective's metrics.
    pub fn into_terms(self) -> Vec<Term> {
        [self.dph, self.likelihood, self.steer, self.orthogonality].into_iter().flatten().collect()
    }
}

/// The term of `steer`: the rewards of each set's gold candidate, or of the probes in it, against its human ratings.
fn steered(
    steer: SteerObjective,
    names: &[String],
    rewards: &HeadRewards,
    labelled: &LabelledSets<'_>,
) -> Term {
    let device = rewards.candidates.device();
    let labels = labels(names, labelled.attributes, &device);
    let batch = match &rewards.probed {
        Some(probed) => {
            let positions = || labelled.probes.iter().map(|probe| &probe.positions);
            let weights: Vec<f32> =
                positions().flat_map(|positions| SteerObjective::position_weights(positions)).collect();
            let sequence = |(set, positions): (usize, &Vec<usize>)| vec![set; positions.len()];
            let count = weights.len();
            SteerBatch {
                rewards: probed.clone(),
                weights: Tensor::from_data(TensorData::new(weights, [count]), &device),
                sequences: positions().enumerate().flat_map(sequence).collect(),
                labels,
            }
        }
        None => {
            let gold = labelled.sets.iter().map(|(candidates, gold)| candidates.start + gold);
            let count = labelled.sets.len();
            SteerBatch {
                rewards: select_rows(rewards.candidates.clone(), gold),
                weights: Tensor::ones([count], &device),
                sequences: (0..count).collect(),
                labels,
            }
        }
    };
    steer.forward(batch).term
}

/// The targets of the reward heads with these names, `[sets, heads]`.
fn labels(names: &[String], attributes: &[BTreeMap<String, f32>], device: &Device) -> Tensor<2> {
    let of_set = |attributes: &BTreeMap<String, f32>| -> Vec<f32> {
        let value = |name| attributes.get(name).copied();
        names.iter().map(|name| value(name).expect("sets without all attributes were removed")).collect()
    };
    let labels: Vec<f32> = attributes.iter().flat_map(of_set).collect();
    Tensor::from_data(TensorData::new(labels, [attributes.len(), names.len()]), device)
}
