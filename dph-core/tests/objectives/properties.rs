//! What holds of the objectives for numbers of any size.

use burn::tensor::{Device, Tensor, TensorData, activation};
use dph_core::*;
use proptest::prelude::*;

use crate::case::values;

fn tensor(values: &[f32]) -> Tensor<1> {
    Tensor::<1>::from_data(values, &Device::flex().autodiff())
}

fn matrix(values: &[f32], shape: [usize; 2]) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex().autodiff())
}

fn scalar(tensor: Tensor<1>) -> f64 {
    values(tensor)[0]
}

/// The loss of two leaves, and the gradients with respect to each.
fn slopes(chosen: f32, rejected: f32, forward: impl Fn(Tensor<1>, Tensor<1>) -> Term) -> (f64, f64, f64) {
    let (chosen, rejected) = (tensor(&[chosen]).require_grad(), tensor(&[rejected]).require_grad());
    let loss = forward(chosen.clone(), rejected.clone()).loss;
    let gradients = loss.backward();
    let slope = |leaf: &Tensor<1>| scalar(leaf.grad(&gradients).unwrap());
    (scalar(loss), slope(&chosen), slope(&rejected))
}

/// Numbers within ±1, ±50 and ±10⁴.
fn any_size() -> impl Strategy<Value = f32> {
    prop_oneof![-1f32..1.0, -50f32..50.0, -1e4f32..1e4, Just(0.0), Just(50.0), Just(-50.0)]
}

/// Log-probabilities, with those of answers that are certain or nearly impossible.
fn any_log_prob() -> impl Strategy<Value = f32> {
    prop_oneof![-3f32..0.0, -1e4f32..0.0, Just(0.0), Just(-1e-7), Just(-50.0), Just(-1e-4)]
}

proptest! {
    #[test]
    fn dph_is_finite_and_pushes_the_right_way(
        (chosen, rejected) in (any_size(), any_size()),
        form in prop_oneof![Just(DphForm::Separable), Just(DphForm::Contrastive), Just(DphForm::Listwise)],
        label_smoothing in prop_oneof![Just(0.0), 0.0..0.5],
    ) {
        let objective = DphObjective { form, label_smoothing, ..DphObjective::default() };
        let (loss, up, down) = slopes(chosen, rejected, |c, r| objective.forward(c, r));
        prop_assert!(loss.is_finite() && up.is_finite() && down.is_finite(), "{loss} {up} {down}");
        prop_assert!(loss >= 0.0);
        // Reward a chosen answer up to where the label smoothing says that it is enough.
        let enough = ((1.0 - label_smoothing) / label_smoothing).ln() as f32;
        let (x, y) = match form {
            DphForm::Separable => (chosen, -rejected),
            DphForm::Contrastive | DphForm::Listwise => (chosen - rejected, chosen - rejected),
        };
        let good = |x: f32, slope: f64| {
            if x < enough - 1e-3 { slope <= 0.0 } else { x <= enough + 1e-3 || slope >= 0.0 }
        };
        prop_assert!(good(x, up) && good(y, -down), "slopes {up} and {down}");
    }

    #[test]
    fn the_contrastive_form_sees_differences_only(
        (chosen, rejected, shift) in (-40i16..40, -40i16..40, -1000i16..1000),
    ) {
        let objective = DphObjective { form: DphForm::Contrastive, ..DphObjective::default() };
        let loss = |shift: f32| {
            let (chosen, rejected) = (f32::from(chosen), f32::from(rejected));
            scalar(objective.forward(tensor(&[chosen + shift]), tensor(&[rejected + shift])).loss)
        };
        prop_assert_eq!(loss(0.0), loss(f32::from(shift)));
    }

    #[test]
    fn the_penalty_on_rewards_is_that_on_their_sum_and_their_difference(
        (chosen, rejected) in (-50f32..50.0, -50f32..50.0),
    ) {
        let of = |penalty, penalised| {
            let objective = DphObjective { penalty, penalised, ..DphObjective::default() };
            scalar(objective.forward(tensor(&[chosen]), tensor(&[rejected])).loss)
        };
        let plain = of(0.0, Penalised::Rewards);
        let (each, sum) = (of(1.0, Penalised::Rewards) - plain, of(1.0, Penalised::Sum) - plain);
        let difference = f64::from(chosen - rejected).powi(2);
        prop_assert!((2.0 * each - sum - difference).abs() < 2e-2, "{each} {sum} {difference}");
    }

    #[test]
    fn dpo_starts_at_log_2_and_is_finite(
        reference in prop::collection::vec(any_size(), 2),
        policy in prop::collection::vec(any_size(), 2),
        beta in 0.01..2.0,
    ) {
        let objective = DpoObjective { beta, ..DpoObjective::default() };
        let answer = |policy: &Tensor<1>, reference: f32| AnswerLogProbs {
            policy: policy.clone(),
            reference: tensor(&[reference]),
        };
        let start = objective.forward(
            answer(&tensor(&reference[..1]), reference[0]),
            answer(&tensor(&reference[1..]), reference[1]),
        );
        prop_assert!((scalar(start.loss) - 2f64.ln()).abs() < 1e-6);
        let (loss, up, down) = slopes(policy[0], policy[1], |chosen, rejected| {
            objective.forward(answer(&chosen, reference[0]), answer(&rejected, reference[1]))
        });
        prop_assert!(loss.is_finite() && loss >= 0.0 && up.is_finite());
        prop_assert!((up + down).abs() < 1e-6, "only the difference counts: {up} {down}");
    }

    #[test]
    fn orpo_is_finite_and_pushes_the_right_way(
        (chosen, rejected) in (any_log_prob(), any_log_prob()),
        likelihood in prop_oneof![Just(0.0), Just(1.0)],
    ) {
        let objective = OrpoObjective { likelihood, ..OrpoObjective::default() };
        let (loss, up, down) = slopes(chosen, rejected, |c, r| objective.forward(c, r));
        prop_assert!(loss.is_finite() && up.is_finite() && down.is_finite(), "{loss} {up} {down}");
        prop_assert!(loss >= 0.0 && up <= 0.0 && down >= 0.0, "{loss} {up} {down}");
    }

    #[test]
    fn log_odds_are_those_of_the_definition(log_prob in -30f64..-0.01) {
        let term = OrpoObjective::default().forward(tensor(&[log_prob as f32]), tensor(&[-(2f32.ln())]));
        // Even odds on the other side: what is left are the log-odds of the first.
        let log_odds = scalar(term.metric("orpo/log-odds").unwrap());
        let exact = log_prob - (-log_prob.exp_m1()).ln();
        prop_assert!((log_odds - exact).abs() < 2e-3, "{log_odds} is not {exact}");
    }

    #[test]
    fn kl_is_0_for_equal_models_above_0_for_others_and_finite(
        policy in prop::collection::vec(any_size(), 8),
        reference in prop::collection::vec(any_size(), 8),
    ) {
        let distribution = |logits: &[f32]| activation::log_softmax(matrix(logits, [2, 4]), 1);
        let leaf = matrix(&policy, [2, 4]).require_grad();
        let own = activation::log_softmax(leaf.clone(), 1);
        let divergence = KlObjective::divergence(own, distribution(&reference));
        prop_assert!(values(divergence.clone()).iter().all(|&x| x.is_finite() && x > -1e-2), "{divergence}");
        let gradient = leaf.grad(&divergence.sum().backward()).unwrap();
        prop_assert!(values(gradient).iter().all(|x| x.is_finite()));
        let same = KlObjective::divergence(distribution(&policy), distribution(&policy));
        prop_assert_eq!(values(same), [0.0, 0.0]);
    }

    #[test]
    fn answers_are_reduced_as_by_hand(
        values_of in prop::collection::vec((-9f32..0.0, 0usize..4), 0..20),
    ) {
        let target = |&(_, candidate): &(f32, usize)| Target { state: 0, token: 0, candidate };
        let targets: Vec<Target> = values_of.iter().map(target).collect();
        let tokens: Vec<f32> = values_of.iter().map(|&(value, _)| value).collect();
        for reduction in [SequenceReduction::Sum, SequenceReduction::Mean] {
            let actual = values(reduction.by_candidate(tensor(&tokens), &targets, 4));
            for (candidate, actual) in actual.into_iter().enumerate() {
                let own = values_of.iter().filter(|(_, of)| *of == candidate).map(|&(x, _)| f64::from(x));
                let (count, sum) = (own.clone().count().max(1) as f64, own.sum::<f64>());
                let expected = if reduction == SequenceReduction::Sum { sum } else { sum / count };
                prop_assert!((actual - expected).abs() < 1e-4, "{reduction:?}: {actual} is not {expected}");
            }
        }
    }
}

#[test]
fn terms_add_up_by_their_weights_and_metrics_are_off_the_tape() {
    let log_probs = tensor(&[-1.0, -3.0]).require_grad();
    let sft = SftObjective { weight: 0.5 }.forward(log_probs.clone());
    let kl = KlObjective { weight: 2.0, chosen_share: 1.0 }.forward(log_probs.clone(), log_probs.clone());
    let total = Term::total(&[sft.clone(), kl]).unwrap();
    assert_eq!(scalar(total.clone()), 0.5 * 2.0 + 2.0 * -2.0);
    let gradients = total.backward();
    assert_eq!(values(log_probs.grad(&gradients).unwrap()), [-0.25 + 1.0, -0.25 + 1.0]);
    assert!(!sft.metric("sft/loss").unwrap().is_require_grad());
    assert!(sft.metric("sft/accuracy").is_none());
    assert!(Term::total(&[]).is_none());
}

#[test]
fn a_zero_state_and_orthonormal_columns_have_finite_gradients() {
    let device = Device::flex().autodiff();
    let states = Tensor::<3>::zeros([1, 3, 2], &device).require_grad();
    let tokens = Tensor::<2>::ones([1, 3], &device).greater_elem(0.0);
    let loss = SimctgObjective::default().forward(states.clone(), tokens).loss;
    assert_eq!(scalar(loss.clone()), 0.5);
    assert!(values(states.grad(&loss.backward()).unwrap()).iter().all(|x| x.is_finite()));

    let identity = Tensor::<2>::eye(3, &device).require_grad();
    let loss = OrthogonalityObjective::default().forward([identity.clone()]).unwrap().loss;
    assert!(scalar(loss.clone()) < 1e-6);
    assert!(values(identity.grad(&loss.backward()).unwrap()).iter().all(|x| x.is_finite()));
}

#[test]
fn steering_without_positions_is_0_and_two_sequences_count_the_same() {
    let device = Device::flex().autodiff();
    let labels = matrix(&[1.0, 2.0, 3.0, 4.0], [2, 2]);
    let empty = SteerBatch {
        rewards: Tensor::zeros([0, 2], &device),
        weights: Tensor::zeros([0], &device),
        sequences: vec![],
        labels: labels.clone(),
    };
    let SteerLoss { term, attributes } = SteerObjective::default().forward(empty);
    assert_eq!((scalar(term.loss), values(attributes)), (0.0, vec![0.0, 0.0]));
    let batch = SteerBatch {
        rewards: matrix(&[0.0, 0.0, 2.0, 2.0, 3.0, 5.0], [3, 2]),
        weights: tensor(&[0.5, 0.5, 1.0]),
        sequences: vec![0, 0, 1],
        labels,
    };
    // Errors 1, 4 and 1, 0 of the first sequence, 0, 1 of the second one.
    let SteerLoss { term, attributes } = SteerObjective::default().forward(batch);
    assert_eq!(values(attributes), [0.5, 1.5]);
    assert_eq!(scalar(term.loss), 1.0);
}

#[test]
fn the_penalty_towards_the_likelihood_is_the_square_of_the_difference() {
    // A set of three and a set of two, each with its first candidate gold.
    let rewards = tensor(&[1.0, 3.0, 0.5, 2.0, 0.0]).require_grad();
    let log_likelihoods = tensor(&[-1.0, -2.0, -0.5, -1.0, -2.5]);
    let pairs = Pairs::all([(0..3, 0), (3..5, 0)]);
    let term = LikelihoodObjective::default().forward_pairs(rewards.clone(), log_likelihoods, &pairs);
    // Differences of rewards -2, 0.5, 2 and of log-likelihoods 1, -0.5, 1.5; every set has the same weight.
    let expected = ((9.0 + 1.0) / 2.0 + 0.25) / 2.0;
    assert!((scalar(term.loss.clone()) - expected).abs() < 1e-6);
    assert_eq!(scalar(term.metric("likelihood/agreement").unwrap()), 0.5);
    // d/dr of the last reward: -2 * 0.5 / 2.
    let gradients = term.loss.backward();
    assert!((values(rewards.grad(&gradients).unwrap())[4] + 0.5).abs() < 1e-6);
}

#[test]
fn the_weights_of_positions_are_in_proportion_to_their_place() {
    let weights = SteerObjective::position_weights(&[0, 1, 3]);
    let expected = [1.0 / 7.0, 2.0 / 7.0, 4.0 / 7.0];
    assert!(weights.iter().zip(expected).all(|(weight, expected)| (weight - expected).abs() < 1e-7));
    assert_eq!(SteerObjective::position_weights(&[8]), [1.0]);
}
