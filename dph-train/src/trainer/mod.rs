//! One stage of training on burn's `SupervisedTraining`.
//!
//! burn counts epochs, a stage counts optimiser steps. A *round* consists of the steps between two validations and is one
//! epoch of burn. The data of a step depend only on its number, so a run that is resumed after any round gives the same
//! result as an uninterrupted run.

mod checkpoint;
mod metrics_log;
mod non_finite_guard;
mod step_loader;
mod step_metrics;
mod tensorboard;

use std::path::Path;
use std::sync::Arc;

use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::tensor::Device;
use burn::train::renderer::MetricsRenderer;
use burn::train::{
    ExecutionStrategy, InferenceStep, Learner, LearnerModel, SupervisedTraining, TrainStep, TrainingStrategy,
};

use crate::error::TrainError;
use checkpoint::{CheckpointDir, SaveEveryRound};
use dph_core::TrainingMetric;
pub(crate) use non_finite_guard::NonFiniteGuard;
use step_loader::{FixedBatches, StepLoader};
use step_metrics::StepMetric;
pub(crate) use step_metrics::{LOSS, StepMetrics};

/// The settings of a stage's training, without its model and data.
pub(crate) struct StageTraining<'a> {
    /// Directory of the stage's checkpoints.
    pub checkpoints: &'a Path,
    /// The file to which training and validation metrics are appended.
    pub metrics_log: &'a Path,
    /// Name of the stage.
    pub stage: &'a str,
    /// Number of optimiser steps.
    pub steps: usize,
    /// Number of steps in a round.
    pub steps_per_round: usize,
    /// The metrics of training and validation.
    pub metrics: Vec<TrainingMetric>,
    /// The validation metric that selects the best round.
    pub best_by: &'static str,
    /// The device, with or without autodiff.
    pub device: Device,
    pub optimiser: ModuleOptimizer,
    pub schedule: ModuleLrScheduler,
    /// Receives a loss that is not finite from the model in training.
    pub guard: NonFiniteGuard,
    pub renderer: Box<dyn MetricsRenderer>,
}

/// Trains `model`. If the stage's directory contains a complete checkpoint, training continues from the last one.
///
/// `train` returns the data of a step (from 1). `validation` contains the batches of every validation. With `best`, the model
/// of the round with the best validation is returned, otherwise the last model.
pub(crate) fn train<M>(
    model: M,
    train: impl Fn(usize) -> <M as TrainStep>::Input + Send + Sync + 'static,
    validation: Vec<<M as InferenceStep>::Input>,
    best: bool,
    stage: StageTraining<'_>,
) -> Result<M, TrainError>
where
    M: LearnerModel + TrainStep<Output = StepMetrics> + InferenceStep<Output = StepMetrics>,
    <M as InferenceStep>::Input: Clone + Sync,
{
    let validates = !validation.is_empty();
    let rounds = stage.steps.div_ceil(stage.steps_per_round);
    let checkpoints = CheckpointDir::open(stage.checkpoints, stage.steps_per_round, stage.steps)?;
    let resumed = checkpoints.last_round();
    let steps_done = resumed.map_or(0, |round| checkpoints.step(round));
    metrics_log::truncate(stage.metrics_log, stage.stage, steps_done)?;

    let shape = model.clone();
    let model = if resumed == Some(rounds) {
        // All steps were finished, but the run was stopped before it exported the result.
        checkpoints.load_model(shape.clone(), rounds)?
    } else {
        let device = stage.device.clone().autodiff();
        let loader = StepLoader::new(train, stage.steps, stage.steps_per_round, resumed.unwrap_or(0));
        let best_by = stage.metrics.iter().find(|metric| metric.name == stage.best_by);
        let mut training = SupervisedTraining::<M>::new(
            stage.checkpoints,
            Arc::new(loader),
            Arc::new(FixedBatches::new(validation)),
        )
        .num_epochs(rounds)
        .label(stage.stage)
        .with_application_logger(None)
        .with_metric_logger(metrics_log::MetricsLog::open(stage.metrics_log, stage.stage, steps_done)?)
        .renderer(stage.renderer)
        .with_interrupter(stage.guard.interrupter())
        .with_checkpointing_strategy(SaveEveryRound::new(
            checkpoints.clone(),
            best_by.filter(|_| validates).copied(),
        ))
        .with_custom_checkpointers(checkpoints.clone(), checkpoints.clone(), checkpoints.clone())
        .with_training_strategy(TrainingStrategy::Default(ExecutionStrategy::SingleDevice(device.clone())));
        for (index, metric) in stage.metrics.iter().enumerate() {
            let metric = StepMetric::new(index, *metric);
            training = training.metric_train_numeric(metric.clone()).metric_valid_numeric(metric);
        }
        if let Some(round) = resumed {
            checkpoints.check(round)?;
            training = training.checkpoint(round);
        }
        let result =
            training.launch(Learner::new(model.train().fork(&device), stage.optimiser, stage.schedule));
        if let Some(found) = stage.guard.found() {
            let last = checkpoints.last_round().map(|round| checkpoints.path(round));
            return Err(TrainError::NonFinite {
                stage: stage.stage.into(),
                step: found.step,
                sets: found.ids.clone(),
                checkpoint: last,
            });
        }
        if let Some(error) = result.error {
            return Err(TrainError::Training { stage: stage.stage.into(), message: error.to_string() });
        }
        checkpoints.finish()?;
        result.model
    };

    match checkpoints.best_round().filter(|_| best) {
        Some(round) if round != rounds => {
            tracing::info!(
                "{}: keeping step {}, which has the best validation",
                stage.stage,
                checkpoints.step(round)
            );
            checkpoints.load_model(shape, round)
        }
        _ => Ok(model),
    }
}
