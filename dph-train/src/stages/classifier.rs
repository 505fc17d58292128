//! [`ClassifierTrainer`]: the training of a classifier or regressor of texts.

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Tensor, TensorData};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use dph_core::{ClassifyObjective, Term, TrainingMetric};
use dph_model::{Text, TextClassifier};

use crate::trainer::{LOSS, NonFiniteGuard, StepMetrics};

/// A classifier in training.
#[derive(Module, Debug)]
pub(crate) struct ClassifierTrainer {
    pub classifier: TextClassifier,
    #[module(skip)]
    settings: ClassifierSettings,
}

/// Settings of the training of a classifier.
#[derive(Debug, Clone)]
pub(crate) struct ClassifierSettings {
    pub objective: ClassifyObjective,
    /// Maximum norm of all gradients together.
    pub clip: Option<f64>,
    /// Seed of the device's random numbers.
    pub seed: u64,
    /// Receives a loss that is not finite and stops the training.
    pub guard: NonFiniteGuard,
}

/// The data of one optimiser step.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClassifierStep {
    /// The number of the step, from 1.
    pub step: usize,
    /// The texts of the step, divided into micro-batches.
    pub parts: Vec<LabelledTexts>,
}

/// Some texts with their labels.
#[derive(Debug, Clone)]
pub(crate) struct LabelledTexts {
    pub inputs: Inputs,
    pub labels: Labels,
    /// The names of the texts, for messages.
    pub ids: Vec<String>,
}

/// What the classifier computes from.
#[derive(Debug, Clone)]
pub(crate) enum Inputs {
    Texts(Vec<Text>),
    /// The states that the classification layer of a frozen model reads, `[texts, d_model]`, flattened.
    Features(Vec<f32>),
}

/// The labels of texts.
#[derive(Debug, Clone)]
pub(crate) enum Labels {
    Classes(Vec<usize>),
    Numbers(Vec<f32>),
}

impl Labels {
    fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Numbers(numbers) => numbers.len(),
        }
    }
}

/// The metrics of a classifier or, with `numbers`, of a regressor.
pub(crate) fn metrics(numbers: bool) -> Vec<TrainingMetric> {
    let of_objective = match numbers {
        false => &ClassifyObjective::METRICS[..],
        true => &ClassifyObjective::NUMBER_METRICS,
    };
    std::iter::once(LOSS).chain(of_objective.iter().copied()).collect()
}

/// The metric that selects the best step.
pub(crate) fn best_by(numbers: bool) -> &'static str {
    if numbers { LOSS.name } else { "classify/accuracy" }
}

const CHECKED: &str = "texts were checked against the model when they were loaded";

impl ClassifierTrainer {
    pub fn new(classifier: TextClassifier, settings: ClassifierSettings) -> Self {
        Self { classifier, settings }
    }

    fn term(&self, part: &LabelledTexts) -> Term {
        let device = self.classifier.device();
        let logits = match &part.inputs {
            Inputs::Texts(texts) => self.classifier.logits(texts).expect(CHECKED),
            Inputs::Features(values) => {
                let shape = [part.labels.len(), self.classifier.config().d_model];
                self.classifier.classify(Tensor::from_data(TensorData::new(values.clone(), shape), &device))
            }
        };
        match &part.labels {
            Labels::Classes(classes) => self.settings.objective.forward(logits, classes),
            Labels::Numbers(numbers) => {
                let numbers = TensorData::new(numbers.clone(), [numbers.len()]);
                let numbers = Tensor::from_data(numbers, &device);
                self.settings.objective.forward_numbers(logits.squeeze_dim(1), numbers)
            }
        }
    }
}

impl TrainStep for ClassifierTrainer {
    type Input = ClassifierStep;
    type Output = StepMetrics;

    fn step(&self, step: ClassifierStep) -> TrainOutput<StepMetrics> {
        self.classifier.device().seed(self.settings.seed.wrapping_add(step.step as u64));
        let all: usize = step.parts.iter().map(|part| part.labels.len()).sum();
        let mut accumulator = GradientsAccumulator::new();
        let mut sums: Option<Tensor<1>> = None;
        for part in &step.parts {
            let share = part.labels.len() as f64 / all.max(1) as f64;
            let term = self.term(part);
            let values = values(&term).without_autodiff() * share;
            sums = Some(match sums {
                Some(sums) => sums + values,
                None => values,
            });
            let gradients = (term.loss * share).backward();
            accumulator.accumulate(self, GradientsParams::from_grads(gradients, self));
        }
        let values = sums.expect("a step has texts");
        self.settings.guard.check(&values, step.step, || {
            step.parts.iter().flat_map(|part| part.ids.iter().cloned()).collect()
        });
        TrainOutput { grads: accumulator.grads(), item: StepMetrics { values, weight: all } }
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

impl InferenceStep for ClassifierTrainer {
    type Input = LabelledTexts;
    type Output = StepMetrics;

    fn step(&self, part: LabelledTexts) -> StepMetrics {
        StepMetrics { values: values(&self.term(&part)), weight: part.labels.len() }
    }
}

/// The values of the metrics: the loss, then those of the objective.
fn values(term: &Term) -> Tensor<1> {
    Tensor::cat(vec![term.loss.clone().detach(), term.values()], 0)
}
