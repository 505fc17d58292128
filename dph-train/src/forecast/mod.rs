//! What an experiment would do and what it would cost: `--dry-run`.

mod display;
mod evaluation;
mod stage;

use std::path::Path;

use crate::error::TrainError;
use crate::estimate::memory::weights_memory;
use crate::estimate::speed::Speed;
use crate::experiment::Experiment;
use crate::run::preflight::{Preflight, Preflights, Purpose};

pub use evaluation::EvalForecast;
pub use stage::{StageCost, StageForecast};

/// What an experiment would do and what it would cost. Its text form is what `--dry-run` prints.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// The model; `None` if it is not there.
    pub model: Option<ModelForecast>,
    /// What each stage would do.
    pub stages: Vec<StageForecast>,
    /// The evaluation; `None` where its data is not there.
    pub evaluation: Option<EvalForecast>,
    /// What could not be checked, and why.
    pub unchecked: Vec<String>,
    /// Stages that may need more memory than there is.
    pub warnings: Vec<String>,
}

/// The size of a model.
#[derive(Debug, Clone)]
pub struct ModelForecast {
    /// Number of its parameters.
    pub parameters: usize,
    /// Size of its weights in bytes.
    pub bytes: u64,
    /// The type of its matrices.
    pub precision: dph_model::checkpoint::Precision,
}

impl Forecast {
    /// Reads the experiment's data and the model's configuration, but no weights, and times one matrix product on the
    /// device.
    ///
    /// What is not there does not stop it. Without a model at `path`, its `new` describes it; without both, costs are
    /// unknown. Without data, or a tokenizer to read it with, a stage is assumed to fill the whole context.
    ///
    /// # Errors
    ///
    /// As for a run, except for a model or data that is not there.
    pub fn new(experiment: &Experiment, data: &Path) -> Result<Self, TrainError> {
        let checked = Preflights::new(data, Purpose::Forecast).check(experiment)?;
        Self::from_preflight(experiment, data, &checked)
    }

    pub(crate) fn from_preflight(
        experiment: &Experiment,
        data: &Path,
        checked: &Preflight,
    ) -> Result<Self, TrainError> {
        let data = experiment.data.as_deref().unwrap_or(data);
        let warnings = checked.warnings.clone();
        let mut unchecked = Vec::new();
        let Some(source) = &checked.source else {
            let path = experiment.model.path.as_deref().unwrap_or(Path::new("")).display();
            unchecked.push(format!(
                "there is no model {path}: its layers, context, vocabulary and tokenizer were not checked, and costs are unknown"
            ));
            let stages = experiment.stages.iter().map(|stage| StageForecast::new(stage, None)).collect();
            return Ok(Self { model: None, stages, evaluation: None, unchecked, warnings });
        };
        if source.tokenizer.is_none() {
            unchecked.push("there is no tokenizer: its tokens were not checked, and no data was read".into());
        }
        let speed = Speed::measure(&checked.device, &source.config);
        let mut stages = Vec::new();
        for stage in &experiment.stages {
            let cost = StageCost::estimate(stage, experiment, data, source, &speed)?;
            if let (None, Some(_)) = (cost.sets, &source.tokenizer) {
                unchecked.push(format!("stage `{}`: its data is not below {}", stage.name, data.display()));
            }
            stages.push(StageForecast::new(stage, Some(cost)));
        }
        let evaluation = EvalForecast::estimate(experiment, &checked.plan, data, source, &speed)?;
        if let (None, Some(_)) = (&evaluation, &source.tokenizer) {
            unchecked.push(format!("evaluation: its data is not below {}", data.display()));
        }
        let model = ModelForecast {
            parameters: source.config.param_count(),
            bytes: weights_memory(experiment, &source.config),
            precision: experiment.model.precision,
        };
        Ok(Self { model: Some(model), stages, evaluation, unchecked, warnings })
    }

    /// Estimated peak memory in bytes; 0 where nothing is known.
    pub fn memory(&self) -> u64 {
        let costs = self.stages.iter().filter_map(|stage| stage.cost.as_ref());
        costs.map(|cost| cost.memory).max().unwrap_or(0)
    }
}
