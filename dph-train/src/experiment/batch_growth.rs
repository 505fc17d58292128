//! `batch_growth`: a batch that grows from step to step.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The growth of the batch of a stage: `from` candidate sets in the first step, then linearly more, and `batch` in the step after the
/// first `steps` steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchGrowth {
    /// Number of candidate sets in the first step, less than `batch`.
    pub from: usize,
    /// Number of steps in which the batch grows.
    pub steps: usize,
}

impl BatchGrowth {
    /// Number of candidate sets in a step (from 1) of a stage with this `batch`, rounded down.
    pub fn size(&self, step: usize, batch: usize) -> usize {
        let Self { from, steps } = *self;
        match step > steps {
            true => batch,
            false => {
                let grown = (batch - from) as u128 * (step - 1) as u128 / steps as u128;
                from + grown as usize
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_grows_linearly_and_then_stays() {
        let growth = BatchGrowth { from: 2, steps: 3 };
        let sizes: Vec<usize> = (1..7).map(|step| growth.size(step, 8)).collect();
        assert_eq!(sizes, [2, 4, 6, 8, 8, 8]);
        let slow = BatchGrowth { from: 1, steps: 4 };
        let sizes: Vec<usize> = (1..7).map(|step| slow.size(step, 3)).collect();
        assert_eq!(sizes, [1, 1, 2, 2, 3, 3]);
    }
}
