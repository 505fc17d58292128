//! [`StageForecast`]: the expected work and cost of a stage.

use std::path::Path;
use std::sync::Arc;

use dph_core::{CandidateSet, Layer};
use dph_data::{DataError, TaskData};
use dph_eval::pass::computed_tokens;

use crate::data::task_cache::TaskCache;
use crate::error::TrainError;
use crate::estimate::memory::{LargestBatch, stage_memory};
use crate::estimate::speed::Speed;
use crate::estimate::trained::trained;
use crate::experiment::{Experiment, Stage, Trainable};
use crate::model::source::ModelSource;
use crate::stages::data::StageData;

/// The expected work and cost of a stage.
#[derive(Debug, Clone)]
pub struct StageForecast {
    /// Name of the stage.
    pub name: String,
    /// Number of optimiser steps.
    pub steps: usize,
    /// Number of candidate sets in a step.
    pub batch: usize,
    /// The share of the prompts that is held out from training, if any.
    pub holdout: Option<f64>,
    /// The expected cost; `None` if the model does not exist.
    pub cost: Option<StageCost>,
}

/// The expected cost of a stage.
#[derive(Debug, Clone)]
pub struct StageCost {
    /// Number of trained parameters.
    pub trained: usize,
    /// Number of candidate sets for training; `None` if there is no data or no tokenizer.
    pub sets: Option<usize>,
    /// Average number of times that each set is used.
    pub epochs: f64,
    /// Number of tokens in all forward passes: every set once for a frozen model, the sets of every step otherwise. Without
    /// data, the maximum for the context of the model.
    pub tokens: usize,
    /// Number of tokens of the largest batch: of the token budget or, if it has more, of the longest set.
    pub batch_tokens: usize,
    /// Estimated memory of that batch on the device of the experiment, in bytes.
    pub batch_memory: u64,
    /// Estimated peak memory in bytes.
    pub memory: u64,
    /// Estimated time in seconds.
    pub seconds: f64,
    /// A warning about the data of the stage.
    pub warning: Option<String>,
}

impl StageForecast {
    pub(super) fn new(stage: &Stage, cost: Option<StageCost>) -> Self {
        let (name, holdout) = (stage.name.clone(), stage.holdout);
        Self { name, steps: stage.steps, batch: stage.batch, holdout, cost }
    }
}

impl StageCost {
    pub(super) fn estimate(
        stage: &Stage,
        experiment: &Experiment,
        data: &Path,
        source: &ModelSource,
        speed: &Speed<'_>,
    ) -> Result<Self, TrainError> {
        let load = Load::measure(stage, experiment, data, source)?;
        let frozen = experiment.trainable(stage) == Trainable::None;
        let deepest = experiment.head.aggregation.layers_needed().iter().max().copied();
        let seconds = match frozen {
            true => speed.forward(load.tokens, deepest.unwrap_or_default()),
            // The backward pass costs twice as much as the forward pass.
            false => 3.0 * speed.forward(load.tokens, Layer::Last),
        };
        let seconds = seconds + speed.forward(load.reference_tokens, Layer::Last);
        let trained = trained(experiment, stage, source);
        let batch = LargestBatch::estimate(experiment, stage, &source.config, load.longest);
        let memory = stage_memory(experiment, stage, source, batch);
        let (batch_tokens, batch_memory) = (batch.tokens, batch.memory);
        let Load { sets, epochs, tokens, warning, .. } = load;
        Ok(Self { trained, sets, epochs, tokens, batch_tokens, batch_memory, memory, seconds, warning })
    }
}

/// The input of the model in a stage.
struct Load {
    sets: Option<usize>,
    epochs: f64,
    tokens: usize,
    /// Number of tokens that the reference model computes: of the sets that the steps and the validation use, each once.
    reference_tokens: usize,
    /// Number of tokens of the longest set, 0 if it is unknown.
    longest: usize,
    warning: Option<String>,
}

impl Load {
    fn measure(
        stage: &Stage,
        experiment: &Experiment,
        data: &Path,
        source: &ModelSource,
    ) -> Result<Self, TrainError> {
        let seen = stage.sets_in_steps();
        let context = source.config.context;
        let tokens = seen.saturating_mul(context);
        let unknown =
            Self { sets: None, epochs: 0.0, tokens, reference_tokens: 0, longest: 0, warning: None };
        let Some(tokenizer) = source.tokenizer() else { return Ok(unknown) };
        let from = source.data(data, tokenizer);
        let loaded = match StageData::load(stage, experiment, from, &mut TaskCache::default()) {
            Ok(loaded) => loaded,
            Err(TrainError::Data(DataError::NotFound(_))) => return Ok(unknown),
            Err(error) => return Err(error),
        };
        loaded.log();
        let lengths = |data: &[Arc<TaskData>]| -> Vec<usize> {
            data.iter().flat_map(|data| &data.sets).map(CandidateSet::packed_len).collect()
        };
        let (training, validation) = (lengths(&loaded.training), lengths(&loaded.validation));
        let longest = training.iter().chain(&validation).copied().max().unwrap_or(0);
        let sets: usize = loaded.training.iter().map(|data| data.sets.len()).sum();
        let of_training: usize = training.iter().sum();
        let pass_over = |sets: Vec<&CandidateSet>| computed_tokens(source.config.is_packable(), sets, None);
        let sets_of = |data: &[Arc<TaskData>]| pass_over(data.iter().flat_map(|data| &data.sets).collect());
        let of_validation = sets_of(&loaded.validation);
        let used = loaded.order.need_reference(stage, &loaded.training);
        let used = loaded.training.iter().zip(&used);
        let used = used.flat_map(|(data, used)| used.iter().map(|&index| &data.sets[index]));
        let of_used = pass_over(used.collect());
        let reference_tokens = if stage.objective.needs_reference() { of_used + of_validation } else { 0 };
        let tokens = match experiment.trainable(stage) {
            Trainable::None => sets_of(&loaded.training) + of_validation,
            _ => (of_training as f64 / sets as f64 * seen as f64) as usize,
        };
        let warning = loaded.warning(stage);
        let epochs = seen as f64 / sets as f64;
        Ok(Self { sets: Some(sets), epochs, tokens, reference_tokens, longest, warning })
    }
}
