//! [`RunContext`]: a checked experiment and everything that it needs to run.

use std::path::Path;

use burn::tensor::Device;
use dph_eval::BenchPlan;

use crate::experiment::Experiment;
use crate::run::preflight::Preflight;

/// A checked experiment and everything that it needs to run.
pub(crate) struct RunContext<'a> {
    pub experiment: &'a Experiment,
    /// Root of the data sets.
    pub data: &'a Path,
    pub device: Device,
    pub plan: BenchPlan,
}

impl<'a> RunContext<'a> {
    /// Creates the context of a checked experiment and logs the warnings of the check.
    pub fn new(experiment: &'a Experiment, data: &'a Path, checked: Preflight) -> Self {
        let Preflight { device, plan, warnings, .. } = checked;
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        Self { experiment, data: experiment.data.as_deref().unwrap_or(data), device, plan }
    }
}
