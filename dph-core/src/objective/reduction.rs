//! [`SequenceReduction`]: from one value per token to one value per answer.

use burn::tensor::{IndexingUpdateOp, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::candidates::Target;
use crate::select::index_tensor;

/// How the values of an answer's tokens are reduced to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SequenceReduction {
    /// The sum: for log-probabilities, the log-probability of the answer.
    #[default]
    Sum,
    /// The mean, which does not depend on the length of the answer.
    Mean,
}

impl SequenceReduction {
    /// One value for each candidate of a batch; 0 for a candidate without targets.
    ///
    /// # Shapes
    ///
    /// - values: `[targets]`, one for each of the batch's [`targets`](crate::Batch::targets)
    /// - output: `[candidates]`
    ///
    /// # Panics
    ///
    /// If the number of values differs from the number of targets, or the candidate of a target is not below
    /// `candidates`.
    pub fn by_candidate(self, values: Tensor<1>, targets: &[Target], candidates: usize) -> Tensor<1> {
        assert_eq!(values.dims(), [targets.len()], "one value is needed for each target");
        let mut counts = vec![0usize; candidates];
        for target in targets {
            counts[target.candidate] += 1;
        }
        let place = (&values.device(), values.dtype());
        let zeros = Tensor::zeros([candidates], place);
        if targets.is_empty() {
            return zeros;
        }
        let candidate_of = index_tensor(targets.iter().map(|target| target.candidate), place.0);
        let sums = zeros.select_assign(0, candidate_of, values, IndexingUpdateOp::Add);
        match self {
            SequenceReduction::Sum => sums,
            SequenceReduction::Mean => {
                let counts: Vec<f64> = counts.into_iter().map(|count| count.max(1) as f64).collect();
                sums / Tensor::from_data(TensorData::new(counts, [candidates]), place)
            }
        }
    }
}
