//! Stages of training. A stage reads a model directory and exports a new one.

mod batches;
mod classifier;
mod classify;
pub(crate) mod data;
mod fine_tune;
mod frozen;
mod group_optimiser;
pub(crate) mod groups;
mod head;
mod head_terms;
pub(crate) mod joint;
pub(crate) mod joint_batch;
mod probes;
mod step_order;

use std::ops::Range;
use std::path::Path;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrScheduler};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use dph_core::{CandidateSet, best_index};
use dph_data::{TaskData, draw_distractor};
use dph_model::{Backbone, LoadOptions};

use self::data::StageData;
use crate::cache::features::FeatureCache;
use crate::cache::reference::Reference;
use crate::error::TrainError;
use crate::experiment::{Experiment, Negatives, Stage, Trainable};
use crate::optimiser::clip_by_global_norm;
use crate::progress::StageProgress;
use crate::trainer::{NonFiniteGuard, StageTraining};

/// The context that all stages of a run share.
pub(crate) struct StageContext<'a> {
    pub experiment: &'a Experiment,
    pub device: &'a Device,
    /// The metrics file of the run.
    pub metrics_log: &'a Path,
    /// The cache of features.
    pub features: &'a FeatureCache,
}

impl StageContext<'_> {
    /// Runs a stage with its data on the model in `model_dir` and writes the resulting model into the existing directory
    /// `export`.
    ///
    /// `checkpoints` is the checkpoint directory of the stage.
    pub fn run(
        &self,
        stage: &Stage,
        data: StageData,
        model_dir: &Path,
        checkpoints: &Path,
        export: &Path,
    ) -> Result<(), TrainError> {
        data.log();
        match (stage.objective.classify, self.experiment.trainable(stage)) {
            (Some(_), _) => self.train_classifier(stage, data, model_dir, checkpoints, export)?,
            (None, Trainable::None) => self.train_head(stage, data, model_dir, checkpoints, export)?,
            (None, _) => self.fine_tune(stage, data, model_dir, checkpoints, export)?,
        }
        match self.experiment.model.chat {
            Some(format) => format.save(export).map_err(|source| TrainError::io(export, source)),
            None => Ok(()),
        }
    }

    /// The model in a directory, loaded with the precision of the experiment.
    fn backbone(&self, dir: &Path) -> Result<Backbone, TrainError> {
        let options = LoadOptions { precision: self.experiment.model.precision, ..LoadOptions::default() };
        Ok(Backbone::load_with(dir, self.device, options)?)
    }

    fn training<'a>(
        &self,
        stage: &'a Stage,
        checkpoints: &'a Path,
        optimiser: ModuleOptimizer,
        schedule: ModuleLrScheduler,
        guard: NonFiniteGuard,
    ) -> StageTraining<'a>
    where
        Self: 'a,
    {
        StageTraining {
            checkpoints,
            metrics_log: self.metrics_log,
            stage: &stage.name,
            steps: stage.steps,
            steps_per_round: stage.validation.every,
            metrics: stage.objective.metrics(),
            best_by: stage.objective.best_by(),
            device: self.device.clone(),
            optimiser,
            schedule,
            guard,
            renderer: Box::new(StageProgress::new(format!("stage {}", stage.name), "steps")),
        }
    }

    /// The log-probabilities of the sets of a task at the ascending indices `used` under the model with this hash; none without a hash.
    fn reference(
        &self,
        backbone: &Backbone,
        model_hash: Option<&str>,
        data: &TaskData,
        used: &[usize],
    ) -> Result<Reference, TrainError> {
        let Some(model_hash) = model_hash else { return Ok(Reference::default()) };
        let label = format!("reference {} {}", data.task, data.split);
        Reference::compute(&self.features.dir, backbone, model_hash, &data.sets, used, &label)
    }

    /// As [`reference`](Self::reference), for all sets of a task.
    fn reference_of_all(
        &self,
        backbone: &Backbone,
        model_hash: Option<&str>,
        data: &TaskData,
    ) -> Result<Reference, TrainError> {
        self.reference(backbone, model_hash, data, &Vec::from_iter(0..data.sets.len()))
    }
}

fn clip(stage: &Stage) -> Option<f64> {
    (stage.clip > 0.0).then_some(stage.clip)
}

/// One step of the optimiser with clipped gradients. After a loss that is not finite, the weights are not changed.
fn update<M: Module>(
    model: M,
    optimiser: &mut ModuleOptimizer,
    lr: ModuleLearningRate,
    grads: GradientsParams,
    clip: Option<f64>,
    guard: &NonFiniteGuard,
) -> M {
    if guard.is_set() {
        return model;
    }
    let (grads, _) = clip_by_global_norm(&model, grads, clip);
    optimiser.step(lr, model, grads)
}

/// The candidates of a set that a step compares: the gold candidate and one distractor drawn for the epoch, or all candidates.
fn sample_negatives(set: &CandidateSet, negatives: Negatives, seed: u64, epoch: u64) -> Vec<usize> {
    match negatives {
        Negatives::One => set.gold.into_iter().chain(draw_distractor(set, seed, epoch)).collect(),
        Negatives::All => (0..set.candidates.len()).collect(),
    }
}

/// The share of sets, `[1]`, whose gold candidate has the highest reward of the first head, by the rule of [`best_index`]. A set
/// whose rewards are all NaN counts as wrong.
fn choice_accuracy(rewards: &Tensor<2>, sets: &[(Range<usize>, usize)]) -> Tensor<1> {
    let host: Vec<f32> = rewards.clone().narrow(1, 0, 1).into_data().iter::<f32>().collect();
    let best = |candidates: &Range<usize>| best_index(host[candidates.clone()].iter().copied());
    let right = sets.iter().filter(|(candidates, gold)| best(candidates) == Some(*gold)).count();
    Tensor::from_data([right as f32 / sets.len().max(1) as f32], &rewards.device())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reward_that_is_not_a_number_never_makes_a_choice_right() {
        let nan = f32::NAN;
        let rewards = [[nan, 9.0], [1.0, 9.0], [nan, 9.0], [nan, 9.0], [2.0, 9.0], [2.0, 9.0]];
        let rewards = Tensor::from_data(rewards, &Device::flex());
        let share = |sets: &[(Range<usize>, usize)]| choice_accuracy(&rewards, sets).into_scalar::<f32>();
        assert_eq!(share(&[(0..2, 0)]), 0.0, "a NaN is never the best");
        assert_eq!(share(&[(0..2, 1)]), 1.0);
        assert_eq!(share(&[(2..4, 0), (2..4, 1)]), 0.0, "all rewards are NaN");
        assert_eq!(share(&[(4..6, 0), (4..6, 1)]), 0.5, "the first of equal rewards");
    }
}
