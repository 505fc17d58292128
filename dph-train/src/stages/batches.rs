//! [`Batches`]: packs candidate sets into batches for a stage that trains the language model.

use std::sync::Arc;

use dph_core::{Batch, CandidateSet, TargetTokens};
use dph_data::{TaskData, plan_batches, plan_rows};
use dph_eval::pass::RowLayout;

use super::joint_batch::JointBatch;
use super::probes::Probe;
use super::sample_negatives;
use crate::cache::reference::Reference;
use crate::experiment::{Answers, Negatives, Objective};

/// Creates the batches of a stage.
pub(super) struct Batches {
    pub objective: Objective,
    /// Whether candidates are compared; otherwise only the gold candidates are needed.
    pub compares: bool,
    /// Whether several sets, each a whole conversation, may share a row.
    pub packs: bool,
    pub answers: Answers,
    pub negatives: Negatives,
    pub seed: u64,
    /// Maximum number of tokens in a batch, including padding.
    pub budget: usize,
    pub layout: RowLayout,
    /// The training data of each task; `references` has the log-probabilities under the reference model.
    pub training: Vec<Arc<TaskData>>,
    pub references: Vec<Reference>,
    pub validation_references: Vec<Reference>,
}

/// A set with the candidates that a step uses.
struct Chosen {
    set: CandidateSet,
    reference: Vec<f32>,
    /// The epoch of the set.
    epoch: u64,
}

impl Batches {
    /// The sets of a step, as (task, set, epoch).
    pub fn training_batches(&self, items: &[(usize, usize, u64)]) -> Vec<JointBatch> {
        let chosen = items.iter().map(|&(task, row, epoch)| {
            let set = &self.training[task].sets[row];
            let candidates = match self.compares {
                true => sample_negatives(set, self.negatives, self.seed, epoch),
                false => set.gold.into_iter().collect(),
            };
            choose(set, row, &candidates, &self.references[task], epoch)
        });
        self.pack(chosen.collect())
    }

    pub fn validation_batches(&self, task: usize, data: &TaskData) -> Vec<JointBatch> {
        let chosen = data.sets.iter().enumerate().map(|(row, set)| {
            let candidates: Vec<usize> = match self.compares {
                true => (0..set.candidates.len()).collect(),
                false => set.gold.into_iter().collect(),
            };
            choose(set, row, &candidates, &self.validation_references[task], 0)
        });
        self.pack(chosen.collect())
    }

    fn pack(&self, chosen: Vec<Chosen>) -> Vec<JointBatch> {
        match self.packs {
            true => self.pack_conversations(&chosen),
            false => self.pack_choices(&chosen),
        }
    }

    /// Packs each set into its own row.
    fn pack_choices(&self, chosen: &[Chosen]) -> Vec<JointBatch> {
        let lengths: Vec<usize> = chosen.iter().map(|chosen| chosen.set.packed_len()).collect();
        let part = |plan: &Vec<usize>| {
            let sets = plan.iter().map(|&index| &chosen[index].set);
            let batch = self.layout.batch(sets, TargetTokens::Turn);
            self.joint(batch, plan.iter().map(|&index| &chosen[index]))
        };
        plan_batches(&lengths, self.budget).iter().map(part).collect()
    }

    /// Packs conversations so that short ones share a row.
    fn pack_conversations(&self, chosen: &[Chosen]) -> Vec<JointBatch> {
        let lengths: Vec<usize> = chosen.iter().map(|chosen| chosen.set.conversation_len()).collect();
        let plan = match self.layout.is_packed {
            true => plan_rows(&lengths, self.budget),
            false => {
                let alone = |batch: Vec<usize>| batch.into_iter().map(|index| vec![index]).collect();
                plan_batches(&lengths, self.budget).into_iter().map(alone).collect()
            }
        };
        let targets = match self.answers {
            Answers::All => TargetTokens::AllTurns,
            Answers::Last => TargetTokens::Turn,
        };
        let part = |rows: &Vec<Vec<usize>>| {
            let sets = |row: &Vec<usize>| row.iter().map(|&index| &chosen[index].set).collect();
            let rows_of_sets: Vec<_> = rows.iter().map(sets).collect();
            let batch = Batch::pack_conversations(&rows_of_sets, targets, self.layout.padding);
            self.joint(batch, rows.iter().flatten().map(|&index| &chosen[index]))
        };
        plan.iter().map(part).collect()
    }

    /// A batch with these sets, in the same order.
    fn joint<'a>(&self, batch: Batch, sets: impl Iterator<Item = &'a Chosen>) -> JointBatch {
        let mut part = JointBatch { batch, ..JointBatch::default() };
        let mut first = 0;
        for Chosen { set, reference, epoch } in sets {
            let gold = set.gold.unwrap_or(0);
            part.probes.extend(Probe::draw(&self.objective, set, (first, gold), self.seed, *epoch));
            part.sets.push((first..first + set.candidates.len(), gold));
            part.reference_sums.extend(reference);
            part.attributes.push(set.attributes.clone());
            part.ids.push(set.id.clone());
            first += set.candidates.len();
        }
        part
    }
}

/// A copy of a set with only some of its candidates.
fn choose(set: &CandidateSet, row: usize, candidates: &[usize], reference: &Reference, epoch: u64) -> Chosen {
    let gold = candidates.iter().position(|&candidate| set.gold == Some(candidate));
    Chosen {
        set: CandidateSet {
            candidates: candidates.iter().map(|&candidate| set.candidates[candidate].clone()).collect(),
            gold,
            ..set.clone()
        },
        reference: candidates.iter().filter_map(|&candidate| reference.get(row, candidate)).collect(),
        epoch,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use dph_core::Candidate;

    use super::*;

    fn batches(compares: bool, answers: Answers, packable: bool) -> Batches {
        // Two answers of two tokens and an end-of-turn token each. The first answer is in the prompt.
        let conversation = CandidateSet {
            prompt: vec![10, 20, 21, 9, 11],
            candidates: vec![Candidate::new(vec![30, 31, 9], 2); 2],
            gold: Some(0),
            earlier_answers: std::iter::once(1..4).collect(),
            ..CandidateSet::default()
        };
        let short = CandidateSet { prompt: vec![10], earlier_answers: Vec::new(), ..conversation.clone() };
        let sets = vec![short.clone(), conversation, short];
        let data = TaskData {
            task: "chat".into(),
            split: "train".into(),
            rows: sets.len(),
            sets,
            ..TaskData::default()
        };
        Batches {
            objective: Objective::default(),
            compares,
            packs: !compares,
            answers,
            negatives: Negatives::All,
            seed: 0,
            budget: 16,
            layout: RowLayout { is_packed: packable, padding: 0 },
            training: vec![Arc::new(data)],
            references: vec![Reference::default()],
            validation_references: Vec::new(),
        }
    }

    #[test]
    fn short_conversations_share_a_row_and_all_answers_are_targets() {
        let step = [(0, 0, 0), (0, 1, 0), (0, 2, 0)];
        let sizes = |batches: Batches| -> Vec<(usize, usize, usize)> {
            let parts = batches.training_batches(&step);
            parts.iter().map(|part| (part.batch.rows, part.batch.seq, part.batch.targets.len())).collect()
        };
        assert_eq!(sizes(batches(false, Answers::All, true)), [(2, 8, 12)]);
        assert_eq!(sizes(batches(false, Answers::Last, true)), [(2, 8, 9)]);
        assert_eq!(sizes(batches(false, Answers::All, false)), [(2, 8, 9), (1, 4, 3)]);
        // The candidates are the last answers. The prompt is stored once for all of them.
        assert_eq!(sizes(batches(true, Answers::All, true)), [(1, 11, 6), (2, 7, 12)]);
    }
}
