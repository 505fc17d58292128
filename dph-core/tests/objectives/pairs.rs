//! Candidate sets of any size as pairs: what counts how much.

use burn::tensor::{Device, Tensor};
use dph_core::*;
use proptest::prelude::*;

use crate::case::values;

fn tensor(values: &[f64]) -> Tensor<1> {
    let values: Vec<f32> = values.iter().map(|&x| x as f32).collect();
    Tensor::<1>::from_data(&values[..], &Device::flex().autodiff())
}

/// Ranges of sets of these sizes, with their gold candidates.
fn sets(sizes: &[(usize, usize)]) -> Vec<(std::ops::Range<usize>, usize)> {
    let mut start = 0;
    sizes
        .iter()
        .map(|&(size, gold)| {
            start += size;
            (start - size..start, gold % size)
        })
        .collect()
}

/// Sizes and gold candidates of some sets, and a reward for every candidate.
fn batch() -> impl Strategy<Value = (Vec<(usize, usize)>, Vec<f64>)> {
    prop::collection::vec((1usize..6, 0usize..6), 1..6).prop_flat_map(|sizes| {
        let candidates: usize = sizes.iter().map(|(size, _)| size).sum();
        (Just(sizes), prop::collection::vec(-60.0..60.0, candidates))
    })
}

fn objectives() -> impl Strategy<Value = DphObjective> {
    (any::<bool>(), 0.0..0.5, 0.0..0.2, any::<bool>()).prop_map(
        |(separable, label_smoothing, penalty, each)| DphObjective {
            form: if separable { DphForm::Separable } else { DphForm::Contrastive },
            label_smoothing,
            penalty,
            penalised: if each { Penalised::Rewards } else { Penalised::Sum },
            ..DphObjective::default()
        },
    )
}

proptest! {
    /// The loss of a batch of sets is the mean of the losses that its sets have alone, and so is every metric.
    #[test]
    fn every_set_counts_the_same((sizes, rewards) in batch(), objective in objectives()) {
        let sets = sets(&sizes);
        let together = objective.forward_pairs(tensor(&rewards), &Pairs::all(sets.clone()));
        let alone: Vec<Vec<f64>> = sets
            .iter()
            .filter(|(candidates, _)| candidates.len() > 1)
            .map(|(candidates, gold)| {
                let chosen = vec![rewards[candidates.start + gold]; candidates.len() - 1];
                let mut rejected = rewards[candidates.clone()].to_vec();
                rejected.remove(*gold);
                values(objective.forward(tensor(&chosen), tensor(&rejected)).values())
            })
            .collect();
        for (i, value) in values(together.values()).into_iter().enumerate() {
            let mean = alone.iter().map(|set| set[i]).sum::<f64>() / alone.len().max(1) as f64;
            prop_assert!((value - mean).abs() <= 1e-5 * (1.0 + mean.abs()), "{i}: {value} is not {mean}");
        }
    }

    /// Sets of two give the very bits of their pairs.
    #[test]
    fn sets_of_two_are_pairs(rewards in prop::collection::vec((-60.0..60.0, -60.0..60.0), 1..9), objective in objectives()) {
        let (chosen, rejected): (Vec<f64>, Vec<f64>) = rewards.iter().copied().unzip();
        let flat: Vec<f64> = rewards.iter().flat_map(|&(chosen, rejected)| [rejected, chosen]).collect();
        let pairs = Pairs::all(sets(&vec![(2, 1); rewards.len()]));
        let of_sets = values(objective.forward_pairs(tensor(&flat), &pairs).values());
        let of_pairs = values(objective.forward(tensor(&chosen), tensor(&rejected)).values());
        prop_assert_eq!(of_sets, of_pairs);
    }
}

#[test]
fn the_gold_reward_counts_once_whatever_the_number_of_distractors() {
    let objective = DphObjective { label_smoothing: 0.0, ..DphObjective::default() };
    let rewards = tensor(&[0.0; 7]).require_grad();
    let term = objective.forward_pairs(rewards.clone(), &Pairs::all(sets(&[(5, 2), (2, 0)])));
    let gradient = values(rewards.grad(&term.loss.backward()).unwrap());
    // The slope of log σ at 0 is a half, and there are two sets.
    let expected = [0.0625, 0.0625, -0.25, 0.0625, 0.0625, -0.25, 0.25];
    assert_eq!(gradient, expected);
}

#[test]
fn every_pair_objective_takes_sets() {
    let pairs = Pairs::all(sets(&[(3, 0), (2, 0)]));
    let policy = [-1.0, -2.0, -3.0, -1.5, -0.5];
    let reference = [-1.5, -1.0, -3.0, -1.5, -2.0];
    let dpo = DpoObjective { beta: 1.0, ..DpoObjective::default() }
        .forward_pairs(AnswerLogProbs { policy: tensor(&policy), reference: tensor(&reference) }, &pairs);
    let margin = values(dpo.metric("dpo/margin").unwrap())[0];
    // Implicit rewards 0.5, -1, 0 and 0, 1.5.
    assert!((margin - ((1.5 + 0.5) / 2.0 - 1.5) / 2.0).abs() < 1e-6, "{margin}");
    let orpo = OrpoObjective::default().forward_pairs(tensor(&policy), &pairs);
    let chosen = values(orpo.metric("orpo/chosen").unwrap())[0];
    assert!((chosen - (-1.0 - 1.5) / 2.0).abs() < 1e-6, "{chosen}");
    let kl = KlObjective::default().forward_pairs(tensor(&[1.0, 2.0, 4.0, 3.0, 5.0]), &pairs);
    let loss = values(kl.loss)[0];
    assert!((loss - 0.5 * (2.0 + 4.0)).abs() < 1e-6, "{loss}");
}

#[test]
fn nothing_to_compare_is_a_loss_of_0_without_a_gradient() {
    let rewards = tensor(&[3.0, -2.0]).require_grad();
    let pairs = Pairs::all(sets(&[(1, 0), (1, 0)]));
    assert!(pairs.is_empty());
    let term =
        DphObjective { penalty: 0.1, ..DphObjective::default() }.forward_pairs(rewards.clone(), &pairs);
    assert_eq!(values(term.values()), [0.0; 5]);
    let gradient = rewards.grad(&term.loss.backward()).map(values);
    assert!(gradient.is_none_or(|gradient| gradient == [0.0; 2]));
    let listwise = DphObjective { form: DphForm::Listwise, ..DphObjective::default() };
    assert_eq!(values(listwise.forward_pairs(rewards, &pairs).values()), [0.0; 5]);
    assert_eq!(values(SftObjective::default().forward(tensor(&[])).loss), [0.0]);
}

#[test]
#[should_panic(expected = "gold candidate 2 of a set of 2")]
fn a_gold_candidate_is_one_of_its_set() {
    Pairs::all([(0..2, 2)]);
}
