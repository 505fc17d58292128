//! The metrics of a step as metrics of burn.

use std::sync::Arc;

use burn::tensor::{ExecutionError, Tensor, TensorReadError};
use burn::train::ItemLazy;
use burn::train::metric::{
    Adaptor, Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry,
    state::{FormatOptions, NumericMetricState},
};

/// The loss of a stage: the weighted sum of its objectives.
pub(crate) const LOSS: dph_core::TrainingMetric =
    dph_core::TrainingMetric { name: "loss", higher_is_better: false };

/// The values of all metrics for one step.
#[derive(Debug, Clone)]
pub(crate) struct StepMetrics {
    /// One value for each metric of the stage, `[metrics]`.
    pub values: Tensor<1>,
    /// The number of items over which the values are averaged; the weight of the step in a mean over several steps.
    pub weight: usize,
}

impl ItemLazy for StepMetrics {
    fn sync(self) -> Result<Self, ExecutionError> {
        // Like burn's own outputs: detached from autodiff, and read by the thread of the metrics.
        self.values.device().flush()?;
        Ok(Self { values: self.values.without_autodiff(), ..self })
    }
}

impl Adaptor<StepMetrics> for StepMetrics {
    fn adapt(&self) -> StepMetrics {
        self.clone()
    }
}

/// One metric of a stage as a metric of burn.
#[derive(Clone)]
pub(crate) struct StepMetric {
    index: usize,
    metric: dph_core::TrainingMetric,
    name: MetricName,
    state: NumericMetricState,
}

impl StepMetric {
    pub fn new(index: usize, metric: dph_core::TrainingMetric) -> Self {
        Self { index, metric, name: Arc::new(metric.name.into()), state: NumericMetricState::default() }
    }
}

impl Metric for StepMetric {
    type Input = StepMetrics;

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes { unit: None, higher_is_better: self.metric.higher_is_better }.into()
    }

    fn update(
        &mut self,
        item: &StepMetrics,
        _metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        let value = item.values.clone().narrow(0, self.index, 1).try_into_scalar::<f64>()?;
        self.state.update(value, item.weight);
        Ok(self.state.compute_update(FormatOptions::new(self.name())))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.state.compute_final(FormatOptions::new(self.name())))
    }

    fn clear(&mut self) {
        self.state.reset();
    }
}

impl Numeric for StepMetric {
    fn value(&self) -> Option<NumericEntry> {
        Some(self.state.current_value())
    }

    fn running_value(&self) -> Option<NumericEntry> {
        Some(self.state.running_value())
    }

    fn final_value(&self) -> NumericEntry {
        self.state.final_value()
    }
}
