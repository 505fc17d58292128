//! [`EvalForecast`]: the expected work and cost of the evaluation.

use std::path::Path;

use dph_core::{CandidateSet, Layer};
use dph_data::DataError;
use dph_eval::BenchPlan;

use crate::error::TrainError;
use crate::estimate::speed::Speed;
use crate::experiment::Experiment;
use crate::model::source::ModelSource;
use crate::run::evaluation_plan::evaluation_options;

/// The expected work and cost of the evaluation.
#[derive(Debug, Clone)]
pub struct EvalForecast {
    /// Number of questions.
    pub questions: usize,
    /// Number of tokens of the questions. Each prompt counts once.
    pub tokens: usize,
    /// Estimated time of all evaluations in seconds.
    pub seconds: f64,
}

impl EvalForecast {
    /// Returns `None` if there is no data or no tokenizer.
    pub(super) fn estimate(
        experiment: &Experiment,
        plan: &BenchPlan,
        root: &Path,
        source: &ModelSource,
        speed: &Speed<'_>,
    ) -> Result<Option<Self>, TrainError> {
        let Some(tokenizer) = source.tokenizer() else { return Ok(None) };
        let options = evaluation_options(experiment, root, tokenizer);
        let (mut questions, mut tokens) = (0, 0);
        for planned in &plan.tasks {
            let data = match planned.load(tokenizer, source.config.context, &options) {
                Ok(data) => data,
                Err(DataError::NotFound(_)) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            questions += data.sets.len();
            tokens += data.sets.iter().map(CandidateSet::packed_len).sum::<usize>();
        }
        let times = 1 + experiment.eval.after.len();
        let seconds = times as f64 * speed.forward(tokens, Layer::Last);
        Ok(Some(Self { questions, tokens, seconds }))
    }
}
