//! [`HeadRewards`]: the rewards of candidates, and those at the positions of answers that `steer` probes.

use burn::tensor::Tensor;
use dph_core::{Batch, CandidateSet, PreferenceHead, SelectedStates, select_rows};
use dph_data::draw_positions;

use crate::experiment::Objective;

/// The positions of an answer at which its attributes are regressed.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    /// The candidate, as an index in the batch.
    pub candidate: usize,
    /// The positions in its turn, from 0.
    pub positions: Vec<usize>,
}

impl Probe {
    /// Draws the positions in the gold answer of a set. `first` is the place of the set's first candidate in the batch, and `place` that
    /// of the gold one among the candidates that the step uses. `None` if the objective has no probes.
    pub fn draw(
        objective: &Objective,
        set: &CandidateSet,
        (first, place): (usize, usize),
        seed: u64,
        epoch: u64,
    ) -> Option<Self> {
        let probes = objective.steer.map_or(0, |steer| steer.probes);
        let gold = set.gold.filter(|_| probes > 0)?;
        Some(Self { candidate: first + place, positions: draw_positions(set, gold, probes, seed, epoch) })
    }
}

/// The rewards of some candidates.
pub(super) struct HeadRewards {
    /// The rewards of the candidates, `[candidates, heads]`.
    pub candidates: Tensor<2>,
    /// The rewards at the positions of all probes, `[positions, heads]`; `None` without probes.
    pub probed: Option<Tensor<2>>,
}

impl HeadRewards {
    /// The rewards of a batch from the states of the layers of the head.
    pub fn of_batch(head: &PreferenceHead, states: &[Tensor<3>], batch: &Batch, probes: &[Probe]) -> Self {
        match probes.is_empty() {
            true => Self { candidates: head.forward_batch(states, batch), probed: None },
            false => Self::of_turns(head.forward_turns(states, batch), probes),
        }
    }

    /// The rewards of selected states, with probes of the states of whole answers.
    pub fn of_selected(head: &PreferenceHead, selected: &SelectedStates, probes: &[Probe]) -> Self {
        match probes.is_empty() {
            true => Self { candidates: head.forward_selected(selected), probed: None },
            false => Self::of_turns(head.forward_selected_turns(selected), probes),
        }
    }

    /// The reward of a candidate is that at the end of its turn.
    fn of_turns((rewards, turns): (Tensor<3>, Vec<std::ops::Range<usize>>), probes: &[Probe]) -> Self {
        let [count, len, heads] = rewards.dims();
        let rewards = rewards.reshape([count * len, heads]);
        let ends = turns.iter().enumerate().map(|(candidate, turn)| candidate * len + turn.end - 1);
        let of_probe = |probe: &Probe| {
            let start = probe.candidate * len + turns[probe.candidate].start;
            probe.positions.iter().map(|position| start + position).collect::<Vec<_>>()
        };
        let probed: Vec<usize> = probes.iter().flat_map(of_probe).collect();
        Self { candidates: select_rows(rewards.clone(), ends), probed: Some(select_rows(rewards, probed)) }
    }

    /// The rewards of the candidates of several parts.
    pub fn cat(parts: Vec<Self>) -> Self {
        let (candidates, probed): (Vec<_>, Vec<_>) =
            parts.into_iter().map(|part| (part.candidates, part.probed)).unzip();
        let probed: Option<Vec<Tensor<2>>> = probed.into_iter().collect();
        Self { candidates: Tensor::cat(candidates, 0), probed: probed.map(|probed| Tensor::cat(probed, 0)) }
    }
}
