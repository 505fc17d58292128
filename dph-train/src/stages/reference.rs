//! [`Reference`]: what the model at the beginning of a stage gives every answer, computed once.

use std::path::Path;

use dph_core::{Batch, CandidateSet, Layer, TargetTokens};
use dph_model::Backbone;

use crate::TrainError;
use crate::batch_file::{BatchFile, BatchPass, number};

/// The reference's log-probability of every candidate: the sum over the answer and its end-of-turn token.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reference {
    /// The number of candidates before each set.
    firsts: Vec<usize>,
    /// In the order of the sets and their candidates.
    sums: Vec<f32>,
}

impl Reference {
    /// Those of `sets` under a model, from the file in `dir` that holds them, or computed and written there.
    pub fn compute(
        dir: &Path,
        backbone: &Backbone,
        model_hash: &str,
        sets: &[CandidateSet],
        label: &str,
    ) -> Result<Self, TrainError> {
        let pass = BatchPass::new(backbone, sets, TargetTokens::Turn);
        let what = format!("reference {:?}", backbone.precision());
        let path = dir.join(format!("{}.f32", BatchPass::key(&what, model_hash, sets)));
        let file = BatchFile { path, floats: Box::new(|row| row.candidates.len()) };
        let compute = |batch: &Batch, _: &[usize]| {
            let last = backbone.hidden_states(batch, &[Layer::Last])?.remove(0);
            let log_probs = backbone.log_probs(last, &batch.targets).into_data();
            let mut sums = vec![0.0f64; batch.candidates()];
            for (target, log_prob) in batch.targets.iter().zip(log_probs.iter::<f64>()) {
                sums[target.candidate] += log_prob;
            }
            Ok(vec![sums.into_iter().map(|sum| sum as f32).collect()])
        };
        let files = [file];
        pass.fill(&files, label, compute)?;
        let map = pass.map(&files[0])?;

        let mut starts = vec![0; pass.rows.len()];
        let mut written = 0;
        for &row in pass.plan.iter().flatten() {
            starts[row] = written;
            written += pass.rows[row].candidates.len();
        }
        let places =
            pass.rows.iter().zip(starts).flat_map(|(row, start)| start..start + row.candidates.len());
        let sums = places.map(|place| number(&map, place)).collect();
        let mut count = 0;
        let firsts = sets.iter().map(|set| {
            count += set.candidates.len();
            count - set.candidates.len()
        });
        Ok(Self { firsts: firsts.collect(), sums })
    }

    /// That of a candidate; nothing where no reference was computed.
    pub fn get(&self, set: usize, candidate: usize) -> Option<f32> {
        self.sums.get(self.firsts.get(set)? + candidate).copied()
    }
}
