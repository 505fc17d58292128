//! [`Reference`]: the log-probabilities of answers under the reference model, computed once.

use std::path::Path;

use dph_core::{Batch, CandidateSet, Layer, TargetTokens};
use dph_eval::Pass;
use dph_model::Backbone;
use dph_model::checkpoint::Precision;
use serde::Serialize;

use crate::cache::batch_file::{self, BatchFile, TOKEN_BUDGET, number};
use crate::error::TrainError;

/// The log-probability of every candidate under the reference model, which is the model at the beginning of the stage: the
/// sum over the answer and its end-of-turn token.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reference {
    /// The place of the first candidate of each set in `sums`; `None` for a set that no step uses.
    firsts: Vec<Option<usize>>,
    /// One sum for each candidate of the sets that are used, in the order of the sets and their candidates.
    sums: Vec<f32>,
}

impl Reference {
    /// The log-probabilities of the sets at the ascending indices `used` of `sets` under a model. If `dir` does not contain them, they
    /// are computed and written to it.
    pub fn compute(
        dir: &Path,
        backbone: &Backbone,
        model_hash: &str,
        sets: &[CandidateSet],
        used: &[usize],
        label: &str,
    ) -> Result<Self, TrainError> {
        let computed = || used.iter().map(|&index| &sets[index]);
        let pass = Pass::new(backbone, computed(), TargetTokens::Turn, TOKEN_BUDGET)?;
        let content = ReferenceKey { content: "reference", format: 1, precision: backbone.precision() };
        let path = dir.join(format!("{}.f32", batch_file::file_key(&content, model_hash, computed())));
        let file = BatchFile { path, floats: Box::new(|row| row.candidates.len()) };
        let compute = |batch: &Batch, _: &[usize]| {
            let last = backbone.hidden_states(batch, &[Layer::Last])?.remove(0);
            let log_probs = backbone.log_probs(last, &batch.targets).into_data();
            let sums = batch.sum_by_candidate(log_probs.iter::<f64>());
            Ok(vec![sums.into_iter().map(|sum| sum as f32).collect()])
        };
        let files = [file];
        batch_file::fill(&pass, &files, label, compute)?;
        let map = batch_file::map(&pass, &files[0])?;

        let mut sums = vec![0.0; pass.candidates()];
        let mut written = 0;
        for batch in 0..pass.batches() {
            let count: usize = pass.rows(batch).map(|row| row.candidates.len()).sum();
            pass.scatter(batch, (written..written + count).map(|place| number(&map, place)), &mut sums);
            written += count;
        }
        let (mut firsts, mut count) = (vec![None; sets.len()], 0);
        for &index in used {
            firsts[index] = Some(count);
            count += sets[index].candidates.len();
        }
        Ok(Self { firsts, sums })
    }

    /// The log-probability of a candidate as a mean per token, in nats. `set` is the set at `index` in the list from which the reference
    /// was computed. `None` if it was not computed.
    pub fn mean(&self, index: usize, set: &CandidateSet, candidate: usize) -> Option<f32> {
        let targets = set.candidates[candidate].turn().len();
        self.get(index, candidate).map(|sum| sum / targets.max(1) as f32)
    }

    /// The log-probability of a candidate; `None` if it was not computed.
    pub fn get(&self, set: usize, candidate: usize) -> Option<f32> {
        self.sums.get((*self.firsts.get(set)?)? + candidate).copied()
    }
}

/// The settings that the values of a reference file depend on, besides the model and the sets; see [`batch_file::file_key`].
#[derive(Serialize)]
struct ReferenceKey {
    content: &'static str,
    format: u32,
    precision: Precision,
}
