//! Training a preference head on cached features of a frozen backbone.

use std::sync::Arc;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use dph_core::{DphObjective, PreferenceHead};

use crate::optimiser::clip_by_global_norm;
use crate::trainer::{Reading, Readings};

/// What head training and its validation report: the objective's metrics, in their order.
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

/// Pairs of aggregated vectors for one step: those of the chosen answers and those of the rejected ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pairs {
    /// The optimiser step, from 1.
    pub step: usize,
    pub d_model: usize,
    /// `[pairs, d_model]`
    pub chosen: Vec<f32>,
    /// `[pairs, d_model]`
    pub rejected: Vec<f32>,
}

/// Candidate sets for validation: every candidate's vector, and where each set's gold one is.
#[derive(Debug, Clone)]
pub(crate) struct GoldSets {
    pub d_model: usize,
    /// `[candidates, d_model]`
    pub vectors: Arc<Vec<f32>>,
    /// For each set the range of its candidates and the gold one, as indices into `vectors`.
    pub sets: Vec<(std::ops::Range<usize>, usize)>,
}

impl HeadTrainer {
    pub fn new(head: PreferenceHead, settings: HeadSettings) -> Self {
        Self { head, settings }
    }

    fn device(&self) -> Device {
        self.devices()[0].clone()
    }

    fn rewards(&self, vectors: &[f32], d_model: usize) -> Tensor<1> {
        let count = vectors.len() / d_model;
        let data = TensorData::new(vectors.to_vec(), [count, d_model]);
        let rewards = self.head.forward(Tensor::from_data(data, &self.device()));
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
        let chosen = self.rewards(&pairs.chosen, pairs.d_model);
        let rejected = self.rewards(&pairs.rejected, pairs.d_model);
        let weight = chosen.dims()[0];
        let term = self.settings.objective.forward(chosen, rejected);
        let readings = Readings { values: term.values(), weight };
        TrainOutput::new(self, (term.loss * term.weight).backward(), readings)
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
        let rewards = self.rewards(&batch.vectors, batch.d_model);
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
        let term = self.settings.objective.forward(tensor(chosen), tensor(rejected));
        let accuracy = Tensor::<1>::from_data([right as f32 / batch.sets.len() as f32], &device);
        let values = term.metrics.into_iter().map(|(metric, value)| match metric.name {
            "dph/accuracy" => accuracy.clone(),
            _ => value,
        });
        Readings { values: Tensor::cat(values.collect(), 0), weight: batch.sets.len() }
    }
}
