//! [`StepOrder`]: the candidate sets of each step of a stage.

use std::collections::BTreeSet;
use std::sync::Arc;

use dph_data::{Mixture, MixtureItem, TaskData};

use super::sample_negatives;
use crate::experiment::{Stage, Trainable};

/// The candidate sets of each step. They depend only on the seed and the step.
pub(crate) struct StepOrder {
    mixture: Mixture,
    batch: u64,
    /// The number of sets before each step of a growing batch, and before the first step after them.
    starts: Vec<u64>,
}

impl StepOrder {
    pub fn new(mixture: Mixture, stage: &Stage) -> Self {
        let growing = stage.batch_growth.map_or(0, |growth| growth.steps);
        let mut starts = vec![0];
        for step in 1..=growing {
            starts.push(starts[step - 1] + stage.batch_of(step) as u64);
        }
        Self { mixture, batch: stage.batch as u64, starts }
    }

    /// The sets of a step (from 1).
    pub fn items(&self, step: usize) -> impl Iterator<Item = MixtureItem> + '_ {
        (self.before(step)..self.before(step + 1)).map(|place| self.mixture.item(place))
    }

    /// The indices of the sets of each task whose log-probabilities under the reference model the stage needs, ascending: those that a
    /// step uses. None if the objective needs no reference model.
    pub fn need_reference(&self, stage: &Stage, training: &[Arc<TaskData>]) -> Vec<Vec<usize>> {
        let mut used = vec![BTreeSet::new(); training.len()];
        let mut unused: usize = training.iter().map(|data| data.sets.len()).sum();
        let steps = if stage.objective.needs_reference() { stage.steps } else { 0 };
        for item in (1..=steps).flat_map(|step| self.items(step)) {
            if unused == 0 {
                break;
            }
            unused -= usize::from(used[item.dataset].insert(item.row));
        }
        used.into_iter().map(Vec::from_iter).collect()
    }

    /// Number of sets before a step.
    fn before(&self, step: usize) -> u64 {
        let grown = self.starts.len();
        match self.starts.get(step - 1) {
            Some(&start) => start,
            None => self.starts[grown - 1] + (step - grown) as u64 * self.batch,
        }
    }

    /// The number of tokens of the first n steps, for every n up to the number of steps. The tokens of a set are its prompt once and the
    /// candidates that the step uses.
    pub fn tokens(
        &self,
        stage: &Stage,
        trainable: Trainable,
        seed: u64,
        training: &[Arc<TaskData>],
    ) -> Arc<[u64]> {
        let of_item = |item: MixtureItem| -> u64 {
            let set = &training[item.dataset].sets[item.row];
            let used = match stage.objective.classify {
                Some(_) => Vec::new(),
                None if stage.objective.compares() || trainable == Trainable::None => {
                    sample_negatives(set, stage.negatives, seed, item.epoch)
                }
                None => set.gold.into_iter().collect(),
            };
            let answers: usize = used.iter().map(|&candidate| set.candidates[candidate].tokens.len()).sum();
            (set.prompt.len() + answers) as u64
        };
        let mut tokens = vec![0];
        for step in 1..=stage.steps {
            tokens.push(tokens[step - 1] + self.items(step).map(of_item).sum::<u64>());
        }
        tokens.into()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use dph_core::CandidateSet;

    use super::*;

    fn order(stage: &str) -> (StepOrder, Stage) {
        let text = format!(
            "name = 'x'\nobjective = {{ dpo = {{}} }}\nsteps = 6\nbatch = 8\nmix = {{ x = 1.0 }}\n{stage}"
        );
        let stage: Stage = toml::from_str(&text).unwrap();
        (StepOrder::new(Mixture::new(&[(1.0, 100)], 7).unwrap(), &stage), stage)
    }

    #[test]
    fn the_sets_of_all_steps_are_consecutive() {
        for (growth, sizes) in
            [("", [8, 8, 8, 8, 8, 8]), ("batch_growth = { from = 2, steps = 3 }", [2, 4, 6, 8, 8, 8])]
        {
            let (order, stage) = order(growth);
            let steps: Vec<Vec<MixtureItem>> = (1..=6).map(|step| order.items(step).collect()).collect();
            assert_eq!(steps.iter().map(Vec::len).collect::<Vec<_>>(), sizes);
            assert_eq!(stage.sets_in_steps(), sizes.iter().sum::<usize>());
            let all: Vec<MixtureItem> = order.mixture.iter_from(0).take(stage.sets_in_steps()).collect();
            assert_eq!(steps.concat(), all);
            let mut rows: Vec<usize> = all.iter().map(|item| item.row).collect();
            rows.sort_unstable();
            rows.dedup();
            let data = TaskData { sets: vec![CandidateSet::default(); 100], ..TaskData::default() };
            assert_eq!(order.need_reference(&stage, &[Arc::new(data)]), [rows]);
        }
    }
}
