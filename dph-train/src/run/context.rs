//! [`RunContext`]: a checked experiment and everything that it needs to run.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use dph_eval::BenchPlan;

use crate::experiment::Experiment;
use crate::model::source::ModelSource;
use crate::run::preflight::{Preflight, RunData};

/// A checked experiment and everything that it needs to run.
pub(crate) struct RunContext<'a> {
    pub experiment: &'a Experiment,
    /// Root of the data sets.
    pub data: &'a Path,
    pub device: Device,
    /// The model from which the first stage starts.
    pub source: Option<Arc<ModelSource>>,
    pub plan: BenchPlan,
    /// The loaded data. A stage drops its own at its end.
    pub loaded: RunData,
}

impl<'a> RunContext<'a> {
    /// Creates the context of a checked experiment and logs the warnings of the check.
    pub fn new(experiment: &'a Experiment, data: &'a Path, checked: Preflight) -> Self {
        let Preflight { device, plan, source, warnings, data: loaded } = checked;
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        Self { experiment, data: experiment.data.as_deref().unwrap_or(data), device, source, plan, loaded }
    }
}
