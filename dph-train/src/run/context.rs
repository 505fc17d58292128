//! [`RunContext`]: an experiment that was checked, and what it needs to run.

use std::path::Path;

use burn::tensor::Device;
use dph_eval::BenchPlan;

use crate::experiment::Experiment;
use crate::run::preflight::Preflight;

/// An experiment, and what it needs to run.
pub(crate) struct RunContext<'a> {
    pub experiment: &'a Experiment,
    /// Root of the data sets.
    pub data: &'a Path,
    pub device: Device,
    pub plan: BenchPlan,
}

impl<'a> RunContext<'a> {
    /// The setting of an experiment that was checked, whose warnings are logged.
    pub fn new(experiment: &'a Experiment, data: &'a Path, checked: Preflight) -> Self {
        let Preflight { device, plan, warnings, .. } = checked;
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        Self { experiment, data: experiment.data.as_deref().unwrap_or(data), device, plan }
    }
}
