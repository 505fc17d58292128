//! Training a preference head on cached features of a frozen backbone.

use std::sync::Arc;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use dph_core::{DphLoss, DphObjective, PreferenceHead};

use crate::features::KeptFeatures;
use crate::optimiser::clip_by_global_norm;
use crate::trainer::{Reading, Readings};

/// What head training and its validation report.
pub(crate) const READINGS: &[Reading] = &[
    Reading { name: "loss", higher_is_better: false },
    Reading { name: "chosen", higher_is_better: false },
    Reading { name: "rejected", higher_is_better: false },
    Reading { name: "accuracy", higher_is_better: true },
    Reading { name: "margin", higher_is_better: true },
];

/// A preference head in training.
#[derive(Module, Debug)]
pub(crate) struct HeadTrainer {
    pub head: PreferenceHead,
    #[module(skip)]
    settings: HeadSettings,
}

/// How a head is trained.
#[derive(Debug, Clone)]
pub(crate) struct HeadSettings {
    pub objective: DphObjective,
    /// Limit of the gradients' joint norm.
    pub clip: Option<f64>,
    /// Seed of the dropout.
    pub seed: u64,
}

/// Pairs of what is kept of answers for one step: those of the chosen answers and those of the rejected ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pairs {
    /// The optimiser step, from 1.
    pub step: usize,
    pub chosen: KeptFeatures,
    pub rejected: KeptFeatures,
}

/// Candidate sets for validation: what is kept of every candidate, and where each set's gold one is.
#[derive(Debug, Clone)]
pub(crate) struct GoldSets {
    /// In pieces of a size that a forward pass can take.
    pub kept: Arc<[KeptFeatures]>,
    /// For each set the range of its candidates and the gold one, counted over all pieces.
    pub sets: Vec<(std::ops::Range<usize>, usize)>,
}

impl HeadTrainer {
    pub fn new(head: PreferenceHead, settings: HeadSettings) -> Self {
        Self { head, settings }
    }

    fn device(&self) -> Device {
        self.devices()[0].clone()
    }

    fn rewards(&self, kept: &KeptFeatures) -> Tensor<1> {
        let rewards = self.head.forward_kept(&kept.states(&self.device()));
        // The objective is that of the first head.
        rewards.narrow(1, 0, 1).squeeze_dim(1)
    }
}

impl TrainStep for HeadTrainer {
    type Input = Pairs;
    type Output = Readings;

    fn step(&self, pairs: Pairs) -> TrainOutput<Readings> {
        // Dropout must not depend on what ran before, or a resumed run would differ.
        self.device().seed(self.settings.seed.wrapping_add(pairs.step as u64));
        let chosen = self.rewards(&pairs.chosen);
        let rejected = self.rewards(&pairs.rejected);
        let weight = chosen.dims()[0];
        let DphLoss { loss, chosen, rejected, accuracy, margin } =
            self.settings.objective.forward(chosen, rejected);
        let values = [loss.clone().detach(), chosen, rejected, accuracy, margin];
        let readings = Readings { values: Tensor::cat(values.to_vec(), 0), weight };
        TrainOutput::new(self, loss.backward(), readings)
    }

    fn optimize(
        self,
        optimiser: &mut ModuleOptimizer,
        lr: ModuleLearningRate,
        grads: GradientsParams,
    ) -> Self {
        let (grads, _) = clip_by_global_norm(&self, grads, self.settings.clip);
        optimiser.step(lr, self, grads)
    }
}

impl InferenceStep for HeadTrainer {
    type Input = GoldSets;
    type Output = Readings;

    /// The loss over all pairs of a gold candidate and another one; the accuracy counts a set as right where the gold
    /// candidate has the highest reward of all.
    fn step(&self, batch: GoldSets) -> Readings {
        let rewards = Tensor::cat(batch.kept.iter().map(|kept| self.rewards(kept)).collect(), 0);
        let host: Vec<f32> = rewards.to_data().iter::<f32>().collect();
        let (mut chosen, mut rejected, mut right) = (Vec::new(), Vec::new(), 0);
        for (candidates, gold) in &batch.sets {
            for other in candidates.clone().filter(|other| other != gold) {
                chosen.push(host[*gold]);
                rejected.push(host[other]);
            }
            let best = candidates
                .clone()
                .fold(candidates.start, |best, other| if host[other] > host[best] { other } else { best });
            right += usize::from(best == *gold);
        }
        let device = rewards.device();
        let tensor = |values: Vec<f32>| Tensor::<1>::from_data(&values[..], &device);
        let loss = self.settings.objective.forward(tensor(chosen), tensor(rejected));
        let accuracy = Tensor::<1>::from_data([right as f32 / batch.sets.len() as f32], &device);
        let values = vec![loss.loss, loss.chosen, loss.rejected, accuracy, loss.margin];
        Readings { values: Tensor::cat(values, 0), weight: batch.sets.len() }
    }
}
