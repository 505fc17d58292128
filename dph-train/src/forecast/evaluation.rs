//! [`EvalForecast`]: the expected work and cost of the evaluation.

use std::path::Path;

use dph_core::Layer;
use dph_data::DataError;
use dph_eval::{BenchError, BenchForecast, BenchPlan};

use crate::error::TrainError;
use crate::estimate::speed::Speed;
use crate::experiment::Experiment;
use crate::model::source::ModelSource;
use crate::run::evaluation_plan::{chosen_scorers, evaluation_options, trains_head};

/// The expected work and cost of the evaluation.
#[derive(Debug, Clone)]
pub struct EvalForecast {
    /// Number of questions.
    pub questions: usize,
    /// Number of tokens that are computed. Each prompt counts once, and so does what several prompts of a row begin with.
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
        let mut options = evaluation_options(experiment, &source.data(root, tokenizer));
        options.scorers = chosen_scorers(experiment, trains_head(experiment), source.has_output);
        let config = &source.config;
        let found = BenchForecast::new(plan, tokenizer, config, &options);
        let BenchForecast { documents: questions, tokens, .. } = match found {
            Err(BenchError::Data(DataError::NotFound(_))) => return Ok(None),
            found => found?,
        };
        let times = 1 + experiment.eval.after.len();
        let seconds = times as f64 * speed.forward(tokens, Layer::Last);
        Ok(Some(Self { questions, tokens, seconds }))
    }
}
