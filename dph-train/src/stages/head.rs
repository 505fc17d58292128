//! Training of a preference head on cached features of a frozen backbone.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use dph_core::{PreferenceHead, Term};

use super::choice_accuracy;
use super::head_terms::{HeadTerms, LabelledSets};
use super::probes::{HeadRewards, Probe};
use crate::cache::features::SelectedFeatures;
use crate::experiment::Objective;
use crate::trainer::{NonFiniteGuard, StepMetrics};

/// A preference head in training.
#[derive(Module, Debug)]
pub(crate) struct HeadTrainer {
    pub head: PreferenceHead,
    #[module(skip)]
    settings: HeadSettings,
}

/// Settings of the training of a head.
#[derive(Debug, Clone)]
pub(crate) struct HeadSettings {
    pub objective: Objective,
    /// Names of the reward heads.
    pub rewards: Vec<String>,
    /// Maximum norm of all gradients together.
    pub clip: Option<f64>,
    /// Seed of dropout.
    pub seed: u64,
    /// Receives a loss that is not finite and stops the training.
    pub guard: NonFiniteGuard,
}

/// The features of the sets of one step.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeadStep {
    /// The optimiser step, from 1.
    pub step: usize,
    pub features: SelectedFeatures,
    /// The candidates of each set, and the index of the gold candidate within the set.
    pub sets: Vec<(Range<usize>, usize)>,
    /// The human ratings of each gold candidate, by attribute.
    pub attributes: Vec<BTreeMap<String, f32>>,
    /// The mean log-likelihood per token of each candidate; empty if no objective needs it.
    pub log_likelihoods: Vec<f32>,
    /// The probes of the gold answer of each set; empty without probes.
    pub probes: Vec<Probe>,
    /// The names of the sets, for messages.
    pub ids: Vec<String>,
}

/// Candidate sets for validation.
#[derive(Debug, Clone)]
pub(crate) struct GoldSets {
    /// The features, divided into chunks for one forward pass each.
    pub features: Arc<[SelectedFeatures]>,
    /// The candidates of each set, with indices over all chunks, and the index of the gold candidate within the set.
    pub sets: Vec<(Range<usize>, usize)>,
    /// The human ratings of each gold candidate, by attribute.
    pub attributes: Vec<BTreeMap<String, f32>>,
    /// The mean log-likelihood per token of each candidate; empty if no objective needs it.
    pub log_likelihoods: Vec<f32>,
    /// The probes of the gold answers of each chunk, with the candidates of the chunk; empty lists without probes.
    pub probes: Vec<Vec<Probe>>,
}

impl HeadTrainer {
    pub fn new(head: PreferenceHead, settings: HeadSettings) -> Self {
        Self { head, settings }
    }

    fn device(&self) -> Device {
        self.devices()[0].clone()
    }

    /// The rewards of all heads.
    fn rewards(&self, features: &SelectedFeatures, probes: &[Probe]) -> HeadRewards {
        HeadRewards::of_selected(&self.head, &features.states(&self.device()), probes)
    }

    /// The terms of the objective, in the order of its metrics.
    fn terms(&self, rewards: &HeadRewards, labelled: &LabelledSets<'_>) -> Vec<Term> {
        let HeadSettings { objective, rewards: names, .. } = &self.settings;
        HeadTerms::compute(objective, &self.head, names, rewards, labelled).into_terms()
    }
}

impl TrainStep for HeadTrainer {
    type Input = HeadStep;
    type Output = StepMetrics;

    fn step(&self, step: HeadStep) -> TrainOutput<StepMetrics> {
        // Dropout must depend only on the seed and the step. Otherwise a resumed run would differ.
        self.device().seed(self.settings.seed.wrapping_add(step.step as u64));
        let labelled = LabelledSets {
            sets: &step.sets,
            attributes: &step.attributes,
            log_likelihoods: &step.log_likelihoods,
            probes: &step.probes,
        };
        let terms = self.terms(&self.rewards(&step.features, &step.probes), &labelled);
        let loss = Term::total(&terms).expect("there is an objective");
        let values = std::iter::once(loss.clone().detach()).chain(terms.iter().map(Term::values));
        let values = Tensor::cat(values.collect(), 0);
        self.settings.guard.check(&values, step.step, || step.ids);
        TrainOutput::new(self, loss.backward(), StepMetrics { values, weight: step.sets.len() })
    }

    fn optimize(
        self,
        optimiser: &mut ModuleOptimizer,
        lr: ModuleLearningRate,
        grads: GradientsParams,
    ) -> Self {
        let (guard, clip) = (self.settings.guard.clone(), self.settings.clip);
        super::update(self, optimiser, lr, grads, clip, &guard)
    }
}

impl InferenceStep for HeadTrainer {
    type Input = GoldSets;
    type Output = StepMetrics;

    /// The loss over all pairs of a gold candidate and another candidate. For the accuracy, a set is correct if the gold
    /// candidate has the highest reward.
    fn step(&self, batch: GoldSets) -> StepMetrics {
        let chunks = batch.features.iter().zip(&batch.probes);
        let rewards = chunks.map(|(features, probes)| self.rewards(features, probes));
        let rewards = HeadRewards::cat(rewards.collect());
        let right = choice_accuracy(&rewards.candidates, &batch.sets);
        let labelled = LabelledSets {
            sets: &batch.sets,
            attributes: &batch.attributes,
            log_likelihoods: &batch.log_likelihoods,
            probes: &batch.probes.concat(),
        };
        let terms = self.terms(&rewards, &labelled);
        let loss = Term::total(&terms).expect("there is an objective");
        let metrics =
            terms.into_iter().flat_map(|term| term.metrics).map(|(metric, value)| match metric.name {
                "dph/accuracy" => right.clone(),
                _ => value,
            });
        let values = std::iter::once(loss).chain(metrics).collect();
        StepMetrics { values: Tensor::cat(values, 0), weight: batch.sets.len() }
    }
}
