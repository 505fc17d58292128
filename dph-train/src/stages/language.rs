//! Training a language model: the loss on what it is to say.

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use dph_core::{Batch, Layer};
use dph_model::Backbone;

use crate::optimiser::clip_by_global_norm;
use crate::trainer::{Reading, Readings};

/// What language-model training and its validation report: the mean negative log-probability of a token, in nats.
pub(crate) const READINGS: &[Reading] = &[Reading { name: "loss", higher_is_better: false }];

/// A language model in training.
#[derive(Module, Debug)]
pub(crate) struct LanguageTrainer {
    pub backbone: Backbone,
    #[module(skip)]
    clip: Option<f64>,
}

impl LanguageTrainer {
    /// With `clip`, the joint norm of the gradients is limited.
    pub fn new(backbone: Backbone, clip: Option<f64>) -> Self {
        Self { backbone, clip }
    }

    /// Sum of the negative log-probabilities of a batch's targets, `[1]`.
    fn loss(&self, batch: &Batch) -> Tensor<1> {
        let mut states = self
            .backbone
            .hidden_states(batch, &[Layer::Last])
            .expect("sets were checked against the model when they were loaded");
        let last = states.pop().expect("one layer was asked for");
        -self.backbone.log_probs(last, &batch.targets).sum()
    }
}

impl TrainStep for LanguageTrainer {
    /// The micro-batches of one optimiser step.
    type Input = Vec<Batch>;
    type Output = Readings;

    fn step(&self, batches: Vec<Batch>) -> TrainOutput<Readings> {
        let targets: usize = batches.iter().map(|batch| batch.targets.len()).sum();
        let mut accumulator = GradientsAccumulator::new();
        let mut total = Tensor::<1>::zeros([1], &self.backbone.device().inner());
        for batch in &batches {
            let loss = self.loss(batch) / targets as f64;
            total = total + loss.clone().inner();
            accumulator.accumulate(self, GradientsParams::from_grads(loss.backward(), self));
        }
        TrainOutput { grads: accumulator.grads(), item: Readings { values: total, weight: targets } }
    }

    fn optimize(
        self,
        optimiser: &mut ModuleOptimizer,
        lr: ModuleLearningRate,
        grads: GradientsParams,
    ) -> Self {
        let (grads, _) = clip_by_global_norm(&self, grads, self.clip);
        optimiser.step(lr, self, grads)
    }
}

impl InferenceStep for LanguageTrainer {
    type Input = Batch;
    type Output = Readings;

    fn step(&self, batch: Batch) -> Readings {
        let weight = batch.targets.len();
        Readings { values: self.loss(&batch) / weight as f64, weight }
    }
}
