//! Training a preference head on cached features of a frozen backbone.

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

/// How a head is trained.
#[derive(Debug, Clone)]
pub(crate) struct HeadSettings {
    pub objective: Objective,
    /// Names of the reward heads.
    pub rewards: Vec<String>,
    /// Limit of the gradients' joint norm.
    pub clip: Option<f64>,
    /// Seed of the dropout.
    pub seed: u64,
    /// Where a loss that is not finite is reported.
    pub guard: NonFiniteGuard,
}

/// What is kept of the candidates of one step's sets.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeadStep {
    /// The optimiser step, from 1.
    pub step: usize,
    pub kept: SelectedFeatures,
    /// The candidates of each set, and the gold one within it.
    pub sets: Vec<(Range<usize>, usize)>,
    /// What people gave each gold candidate.
    pub attributes: Vec<BTreeMap<String, f32>>,
    /// Names of the sets, for messages.
    pub ids: Vec<String>,
}

/// Candidate sets for validation.
#[derive(Debug, Clone)]
pub(crate) struct GoldSets {
    /// In pieces of a size that a forward pass can take.
    pub kept: Arc<[SelectedFeatures]>,
    /// The candidates of each set, counted over all pieces, and the gold one within it.
    pub sets: Vec<(Range<usize>, usize)>,
    /// What people gave each gold candidate.
    pub attributes: Vec<BTreeMap<String, f32>>,
}

impl HeadTrainer {
    pub fn new(head: PreferenceHead, settings: HeadSettings) -> Self {
        Self { head, settings }
    }

    fn device(&self) -> Device {
        self.devices()[0].clone()
    }

    /// The rewards of all heads, `[candidates, heads]`.
    fn rewards(&self, kept: &SelectedFeatures) -> Tensor<2> {
        self.head.forward_selected(&kept.states(&self.device()))
    }

    /// The terms of the objective, in the order of its metrics, for rewards `[candidates, heads]`.
    fn terms(&self, rewards: &Tensor<2>, labelled: &LabelledSets<'_>) -> Vec<Term> {
        let HeadSettings { objective, rewards: names, .. } = &self.settings;
        HeadTerms::compute(objective, &self.head, names, rewards, labelled).into_terms()
    }
}

impl TrainStep for HeadTrainer {
    type Input = HeadStep;
    type Output = StepMetrics;

    fn step(&self, step: HeadStep) -> TrainOutput<StepMetrics> {
        // Dropout must not depend on what ran before, or a resumed run would differ.
        self.device().seed(self.settings.seed.wrapping_add(step.step as u64));
        let labelled = LabelledSets { sets: &step.sets, attributes: &step.attributes };
        let terms = self.terms(&self.rewards(&step.kept), &labelled);
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

    /// The loss over all pairs of a gold candidate and another one; the accuracy counts a set as right where the gold
    /// candidate has the highest reward of all.
    fn step(&self, batch: GoldSets) -> StepMetrics {
        let rewards = Tensor::cat(batch.kept.iter().map(|kept| self.rewards(kept)).collect(), 0);
        let right = choice_accuracy(&rewards, &batch.sets);
        let terms = self.terms(&rewards, &LabelledSets { sets: &batch.sets, attributes: &batch.attributes });
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
