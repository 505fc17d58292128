//! [`Forecast`]: `--dry-run` of an experiment.

mod display;
mod evaluation;
mod stage;

use std::path::Path;

use dph_model::checkpoint::locate_here;

use crate::error::TrainError;
use crate::estimate::memory::weights_memory;
use crate::estimate::speed::Speed;
use crate::experiment::Experiment;
use crate::run::preflight::{Preflight, Preflights, Purpose};

pub use evaluation::EvalForecast;
pub use stage::{StageCost, StageForecast};

/// The expected work and cost of an experiment. `--dry-run` prints it with `Display`.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// The model; `None` if it does not exist.
    pub model: Option<ModelForecast>,
    /// The forecast of each stage.
    pub stages: Vec<StageForecast>,
    /// The evaluation; `None` if there is no model, no data or no tokenizer.
    pub evaluation: Option<EvalForecast>,
    /// The checks that were skipped, with the reason.
    pub unchecked: Vec<String>,
    /// Warnings about stages that may need more memory than the machine has.
    pub warnings: Vec<String>,
}

/// The size of a model.
#[derive(Debug, Clone)]
pub struct ModelForecast {
    /// Number of parameters.
    pub parameters: usize,
    /// Size of the weights in bytes.
    pub bytes: u64,
    /// The type of the matrices.
    pub precision: dph_model::checkpoint::Precision,
}

impl Forecast {
    /// Reads the experiment's data and the model's configuration, but no weights, and measures the time of a matrix product on
    /// the device.
    ///
    /// A missing model, tokenizer or data set is not an error. If there is no model at `path`, `new` is used; without both, the cost
    /// is unknown. Without data or a tokenizer, the estimate assumes that every set fills the whole context.
    ///
    /// # Errors
    ///
    /// The same errors as for a run, except for a missing model or missing data.
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
        let mut warnings = checked.warnings.clone();
        let mut unchecked = Vec::new();
        let Some(source) = &checked.source else {
            let path = experiment.model.path.as_deref().unwrap_or(Path::new("")).display();
            unchecked.push(format!(
                "there is no model {path}: its layers, context, vocabulary and tokenizer were not checked, and the cost is unknown"
            ));
            let stages = experiment.stages.iter().map(|stage| StageForecast::new(stage, None)).collect();
            return Ok(Self { model: None, stages, evaluation: None, unchecked, warnings });
        };
        let path = experiment.model.path.as_deref();
        let found = path.and_then(locate_here);
        if let (Some(path), None) = (path, &found) {
            unchecked.push(format!(
                "there is no model {}: the forecast is that of the model in `[model.new]`",
                path.display()
            ));
        }
        if source.tokenizer().is_none() {
            unchecked.push(
                "the tokenizer was not found: its tokens were not checked, and no data was read".into(),
            );
        }
        if let Some(path) = found {
            unchecked.push(format!(
                "the values of the weights of {}: a dry run reads only their names, types and shapes",
                path.display()
            ));
        }
        let speed = Speed::measure(&checked.device, &source.config);
        let mut stages = Vec::new();
        for stage in &experiment.stages {
            let cost = StageCost::estimate(stage, experiment, data, source, &speed)?;
            if let (None, Some(_)) = (cost.sets, source.tokenizer()) {
                unchecked.push(format!(
                    "stage `{}`: its data was not found in {}",
                    stage.name,
                    data.display()
                ));
            }
            warnings.extend(cost.warning.clone());
            stages.push(StageForecast::new(stage, Some(cost)));
        }
        let evaluation = EvalForecast::estimate(experiment, &checked.plan, data, source, &speed)?;
        if let (None, Some(_)) = (&evaluation, source.tokenizer()) {
            unchecked.push(format!("evaluation: its data was not found in {}", data.display()));
        }
        let model = ModelForecast {
            parameters: source.config.param_count(),
            bytes: weights_memory(experiment, &source.config),
            precision: experiment.model.precision,
        };
        Ok(Self { model: Some(model), stages, evaluation, unchecked, warnings })
    }

    /// Estimated peak memory in bytes; 0 if unknown.
    pub fn memory(&self) -> u64 {
        let costs = self.stages.iter().filter_map(|stage| stage.cost.as_ref());
        costs.map(|cost| cost.memory).max().unwrap_or(0)
    }
}
