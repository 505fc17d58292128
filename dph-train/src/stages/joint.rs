//! Training of a language model, alone or together with a preference head. All objectives of a set use one forward pass.

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Bool, Device, Tensor, TensorData, activation};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use dph_core::{
    AnswerLogProbs, Batch, CandidateSpan, DphObjective, DpoObjective, KlObjective, Layer, LayerStates,
    LikelihoodObjective, OrpoObjective, OrthogonalityObjective, Pairs, PreferenceHead, PreferenceHeadConfig,
    SequenceReduction, SftObjective, SimctgObjective, SteerObjective, Term, TrainingMetric, select_rows,
};
use dph_model::{Backbone, Recompute};

use super::head_terms::{HeadTerms, LabelledSets};
use super::joint_batch::{JointBatch, JointStep, Totals};
use super::probes::HeadRewards;
use crate::experiment::Objective;
use crate::trainer::{LOSS, NonFiniteGuard, StepMetrics};

/// A language model in training, and its preference head if it is also trained.
#[derive(Module, Debug)]
pub(crate) struct JointTrainer {
    pub backbone: Backbone,
    pub head: Option<PreferenceHead>,
    #[module(skip)]
    settings: JointSettings,
}

/// Settings of the training of a language model.
#[derive(Debug, Clone)]
pub(crate) struct JointSettings {
    pub objective: Objective,
    /// The configuration of the head.
    pub head: PreferenceHeadConfig,
    /// The model at the beginning of the stage, if an objective needs its full output distributions.
    pub reference: Option<Backbone>,
    /// Maximum norm of all gradients together.
    pub clip: Option<f64>,
    /// Seed of dropout.
    pub seed: u64,
    /// Whether blocks are recomputed in the backward pass instead of storing their activations.
    pub gradient_checkpointing: bool,
    /// Receives a loss that is not finite and stops the training.
    pub guard: NonFiniteGuard,
}

impl Objective {
    /// The metrics of these objectives: the total loss, and the metrics of each objective.
    pub(crate) fn metrics(&self) -> Vec<TrainingMetric> {
        let mut metrics = vec![LOSS];
        let mut add = |given: bool, of: &[TrainingMetric]| metrics.extend(of.iter().filter(|_| given));
        add(self.sft.is_some(), &SftObjective::METRICS);
        add(self.dpo.is_some(), &DpoObjective::METRICS);
        add(self.orpo.is_some(), &OrpoObjective::METRICS);
        add(self.kl.is_some(), &KlObjective::METRICS);
        add(self.simctg.is_some(), &SimctgObjective::METRICS);
        add(self.dph.is_some(), &DphObjective::METRICS);
        add(self.likelihood.is_some(), &LikelihoodObjective::METRICS);
        add(self.steer.is_some(), &SteerObjective::METRICS);
        add(self.orthogonality.is_some(), &OrthogonalityObjective::METRICS);
        metrics
    }

    /// The metric that selects the best step.
    pub(crate) fn best_by(&self) -> &'static str {
        match (&self.dph, &self.dpo) {
            (Some(_), _) => "dph/accuracy",
            (None, Some(_)) => "dpo/accuracy",
            (None, None) => LOSS.name,
        }
    }
}

const CHECKED: &str = "sets were checked against the model when they were loaded";

/// A term of a part of a step, and its share: the number of its sets or targets divided by the number in the whole step.
struct Shared {
    term: Term,
    share: f64,
}

impl JointTrainer {
    pub fn new(backbone: Backbone, head: Option<PreferenceHead>, settings: JointSettings) -> Self {
        Self { backbone, head, settings }
    }

    /// The layers whose hidden states the objectives need.
    fn layers(&self) -> Vec<Layer> {
        let of_language = self.settings.objective.trains_language().then_some(&Layer::Last);
        LayerStates::union(of_language.into_iter().chain(self.head_layers()))
    }

    fn head_layers(&self) -> &[Layer] {
        match self.trained_head() {
            Some(_) => self.settings.head.aggregation.layers_needed(),
            None => &[],
        }
    }

    fn trained_head(&self) -> Option<&PreferenceHead> {
        self.head.as_ref().filter(|_| self.settings.objective.trains_head())
    }

    /// The terms of a batch, in the order of [`Objective::metrics`], and the rewards.
    fn terms(&self, part: &JointBatch, states: &LayerStates, of: Totals) -> (Vec<Shared>, Option<Tensor<2>>) {
        let objective = &self.settings.objective;
        let pairs = Pairs::all(part.sets.iter().cloned());
        let choices = part.choices() as f64 / of.choices.max(1) as f64;
        let sets = part.sets.len() as f64 / of.sets.max(1) as f64;
        let mut terms = Vec::new();
        if let Some(last) = states.get(Layer::Last).filter(|_| objective.trains_language()) {
            let log_probs = self.backbone.log_probs(last.clone(), &part.batch.targets);
            let by_answer = |how: SequenceReduction| {
                how.by_candidate(log_probs.clone(), &part.batch.targets, part.batch.candidates())
            };
            if let Some(sft) = &objective.sft {
                let gold = part.gold_targets();
                let share = gold.len() as f64 / of.targets.max(1) as f64;
                terms.push(Shared { term: sft.forward(select_rows(log_probs.clone(), gold)), share });
            }
            if let Some(dpo) = &objective.dpo {
                let reference = part.reference(dpo.log_probs);
                let reference = Tensor::from_data(&reference[..], &self.backbone.device());
                let answers = AnswerLogProbs { policy: by_answer(dpo.log_probs), reference };
                terms.push(Shared { term: dpo.forward_pairs(answers, &pairs), share: choices });
            }
            if let Some(orpo) = &objective.orpo {
                let term = orpo.forward_pairs(by_answer(SequenceReduction::Mean), &pairs);
                terms.push(Shared { term, share: choices });
            }
            if let Some(kl) = &objective.kl {
                let divergences = self.divergences(part, last.clone());
                terms.push(Shared { term: kl.forward_pairs(divergences, &pairs), share: choices });
            }
            if let Some(simctg) = &objective.simctg {
                let (states, tokens) = as_rows(last, &part.gold_conversations());
                terms.push(Shared { term: simctg.forward(states, tokens), share: sets });
            }
        }
        let mut rewards = None;
        if let Some(head) = self.trained_head() {
            let states = states.select(self.head_layers());
            let all = HeadRewards::of_batch(head, &states, &part.batch, &part.probes);
            let needed = objective.likelihood.map(|_| part.reference(SequenceReduction::Mean));
            let log_likelihoods = needed.unwrap_or_default();
            let labelled = LabelledSets {
                sets: &part.sets,
                attributes: &part.attributes,
                log_likelihoods: &log_likelihoods,
                probes: &part.probes,
            };
            let of_head = HeadTerms::compute(objective, head, &self.settings.head.rewards, &all, &labelled);
            let of_choices = [of_head.dph, of_head.likelihood].into_iter().flatten();
            terms.extend(of_choices.map(|term| Shared { term, share: choices }));
            let of_sets = [of_head.steer, of_head.orthogonality].into_iter().flatten();
            terms.extend(of_sets.map(|term| Shared { term, share: sets }));
            rewards = Some(all.candidates.detach());
        }
        (terms, rewards)
    }

    /// The hidden states of all needed layers and, with gradient checkpointing, the [`Recompute`] that continues the backward pass.
    fn trained_states(&self, batch: &Batch) -> (LayerStates, Option<Recompute>) {
        if !self.settings.gradient_checkpointing {
            return (self.states(batch), None);
        }
        let layers = self.layers();
        let (states, recompute) = self.backbone.recomputable_states(batch, &layers).expect(CHECKED);
        (LayerStates::new(layers, states), Some(recompute))
    }

    fn states(&self, batch: &Batch) -> LayerStates {
        let layers = self.layers();
        let states = self.backbone.hidden_states(batch, &layers).expect(CHECKED);
        LayerStates::new(layers, states)
    }

    /// The divergence between the distributions of the model and of the reference model at the targets, summed for each candidate,
    /// `[candidates]`.
    fn divergences(&self, part: &JointBatch, last: Tensor<3>) -> Tensor<1> {
        let reference = self.settings.reference.as_ref().expect("a stage with `kl` has a reference model");
        let before = reference
            .hidden_states(&part.batch, &[Layer::Last])
            .expect("the reference model has the same configuration")
            .remove(0);
        let states: Vec<usize> = part.batch.targets.iter().map(|target| target.state).collect();
        let policy = activation::log_softmax(self.backbone.logits_at(last, &states), 1);
        let before = activation::log_softmax(reference.logits_at(before, &states), 1);
        let before = Tensor::from_data(before.into_data(), &self.backbone.device());
        let by_token = KlObjective::divergence(policy, before);
        SequenceReduction::Sum.by_candidate(by_token, &part.batch.targets, part.batch.candidates())
    }

    fn device(&self) -> Device {
        self.backbone.device()
    }
}

/// The hidden states of conversations, one per row and padded, `[conversations, longest, d_model]`, and a mask that is false for
/// padding, `[conversations, longest]`.
fn as_rows(states: Tensor<3>, conversations: &[CandidateSpan]) -> (Tensor<3>, Tensor<2, Bool>) {
    let [rows, seq, d_model] = states.dims();
    let longest = conversations.iter().map(CandidateSpan::len).max().unwrap_or(0);
    let (mut indices, mut tokens) = (Vec::new(), Vec::new());
    for span in conversations {
        let length = span.len();
        indices.extend(span.tokens().chain((length..longest).map(|_| 0)));
        tokens.extend((0..longest).map(|column| column < length));
    }
    let (count, device) = (conversations.len(), states.device());
    let states = select_rows(states.reshape([rows * seq, d_model]), indices);
    let states = states.reshape([count, longest, d_model]);
    (states, Tensor::from_data(TensorData::new(tokens, [count, longest]), &device))
}

/// The loss and the metrics of some terms, weighted by their shares.
fn total(terms: &[Shared]) -> (Tensor<1>, Vec<Tensor<1>>) {
    let losses = terms.iter().map(|shared| shared.term.loss.clone() * (shared.term.weight * shared.share));
    let loss = losses.reduce(|sum, loss| sum + loss).expect("a stage has an objective");
    let values = terms
        .iter()
        .flat_map(|shared| shared.term.metrics.iter().map(|(_, value)| value.clone() * shared.share));
    let values = std::iter::once(loss.clone().detach()).chain(values).collect();
    (loss, values)
}

impl TrainStep for JointTrainer {
    type Input = JointStep;
    type Output = StepMetrics;

    fn step(&self, step: JointStep) -> TrainOutput<StepMetrics> {
        // Dropout must depend only on the seed and the step. Otherwise a resumed run would differ.
        self.device().seed(self.settings.seed.wrapping_add(step.step as u64));
        let totals = Totals::count(&step.parts);
        let mut accumulator = GradientsAccumulator::new();
        let mut sums: Option<Tensor<1>> = None;
        for part in &step.parts {
            let (states, recompute) = self.trained_states(&part.batch);
            let (terms, _) = self.terms(part, &states, totals);
            let (loss, values) = total(&terms);
            let values = Tensor::cat(values, 0).without_autodiff();
            sums = Some(match sums {
                Some(sums) => sums + values,
                None => values,
            });
            let mut gradients = loss.backward();
            let mut add =
                |gradients| accumulator.accumulate(self, GradientsParams::from_grads(gradients, self));
            if let Some(recompute) = recompute {
                recompute.backward(&self.backbone, &mut gradients, &mut add);
            }
            add(gradients);
        }
        let values = sums.expect("a step has sets");
        self.settings.guard.check(&values, step.step, || {
            step.parts.iter().flat_map(|part| part.ids.iter().cloned()).collect()
        });
        TrainOutput { grads: accumulator.grads(), item: StepMetrics { values, weight: totals.weight() } }
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

impl InferenceStep for JointTrainer {
    type Input = JointBatch;
    type Output = StepMetrics;

    /// Like training, except for the accuracy of a head: a set is correct if its gold candidate has the highest reward.
    fn step(&self, part: JointBatch) -> StepMetrics {
        let totals = Totals::count(std::slice::from_ref(&part));
        let states = self.states(&part.batch);
        let (terms, rewards) = self.terms(&part, &states, totals);
        let (_, mut values) = total(&terms);
        if let (Some(rewards), Some(_)) = (rewards, &self.settings.objective.dph) {
            let right = super::choice_accuracy(&rewards, &part.sets);
            let metrics = self.settings.objective.metrics();
            let place = metrics.iter().position(|metric| metric.name == "dph/accuracy");
            values[place.expect("`dph` reports its accuracy")] = right;
        }
        StepMetrics { values: Tensor::cat(values, 0), weight: totals.weight() }
    }
}
