//! [`EvaluationData`]: the documents of an evaluation.

use std::sync::Arc;

use dph_data::{ChatTokenizer, DataError, TaskData};
use dph_eval::{BenchOptions, BenchPlan};

use super::record::{DataRecord, Role};
use super::task_cache::{DataSource, TaskCache};

/// The documents of an evaluation.
#[derive(Default)]
pub(crate) struct EvaluationData {
    /// The data of each task of the plan.
    pub tasks: Vec<Arc<TaskData>>,
    /// The tokenizer of the evaluated model.
    pub tokenizer: Option<Arc<ChatTokenizer>>,
    /// The content of the data.
    pub record: DataRecord,
}

impl EvaluationData {
    /// Loads the data of a plan.
    pub fn load(
        plan: &BenchPlan,
        options: &BenchOptions,
        source: DataSource<'_>,
        cache: &mut TaskCache,
    ) -> Result<Self, DataError> {
        let mut loaded = Self { tokenizer: Some(Arc::clone(source.tokenizer)), ..Self::default() };
        for planned in &plan.tasks {
            let data = cache.evaluation_task(source, planned, options)?;
            loaded.record.add(Role::Evaluation, &planned.requested, &planned.split, &data);
            loaded.tasks.push(data);
        }
        Ok(loaded)
    }
}
