//! The listwise form: values and gradients of PyTorch 2.9.0 (`cross_entropy` with probabilities as targets, in f64).

use burn::tensor::{Device, Tensor};
use dph_core::testing::assert_close;
use dph_core::{DphForm, DphObjective, Pairs};
use proptest::prelude::*;

use crate::case::values;

/// Rewards of sets of 3, 2, 1 and 5 candidates.
const REWARDS: [f32; 11] = [0.5, -1.25, 2.0, 1.0, 1.0, 3.0, 30.0, -30.0, 0.0, 4.0, -0.75];

fn sets() -> Pairs {
    Pairs::all([(0..3, 2), (3..5, 0), (5..6, 0), (6..11, 3)])
}

fn listwise(label_smoothing: f64) -> DphObjective {
    DphObjective { form: DphForm::Listwise, label_smoothing, ..DphObjective::default() }
}

#[test]
fn sets_of_any_size_have_the_cross_entropy_of_pytorch() {
    let third = 1.0 / 3.0;
    let plain = [
        0.058_940_061,
        0.010_242_247,
        -0.069_182_307,
        -third / 2.0,
        third / 2.0,
        0.0,
        third,
        0.0,
        0.0,
        -third,
        0.0,
    ];
    let smoothed = [
        0.042_273_394,
        -0.006_424_42,
        -0.035_848_974,
        -0.133_333_333,
        0.133_333_333,
        0.0,
        0.325,
        -0.008_333_333,
        -0.008_333_333,
        -0.3,
        -0.008_333_333,
    ];
    for (label_smoothing, loss, gradients) in
        [(0.0, 8.975_256_387_889, plain), (0.1, 9.194_006_387_889, smoothed)]
    {
        let rewards = Tensor::<1>::from_data(REWARDS, &Device::flex().autodiff()).require_grad();
        let term = listwise(label_smoothing).forward_pairs(rewards.clone(), &sets());
        assert_close("loss", &values(term.loss.clone()), &[loss], 1e-6, 1e-6);
        assert_close("reported", &values(term.metric("dph/loss").unwrap()), &[loss], 1e-6, 1e-6);
        let found = values(rewards.grad(&term.loss.backward()).unwrap());
        assert_close("gradients", &found, &gradients, 1e-7, 0.0);
    }
}

#[test]
fn only_the_loss_depends_on_the_form() {
    let rewards = || Tensor::<1>::from_data(REWARDS, &Device::flex());
    let with =
        |form| DphObjective { form, ..DphObjective::default() }.forward_pairs(rewards(), &sets()).values();
    let [listwise, contrastive] = [DphForm::Listwise, DphForm::Contrastive].map(|form| values(with(form)));
    assert_ne!(listwise[0], contrastive[0]);
    assert_eq!(listwise[1..], contrastive[1..]);
}

proptest! {
    /// For two candidates the softmax is the logistic function of the difference.
    #[test]
    fn for_two_candidates_it_is_the_contrastive_form(
        rewards in prop::collection::vec((-60f32..60.0, -60f32..60.0), 1..6),
        label_smoothing in prop_oneof![Just(0.0), 0.0..0.5],
    ) {
        let (chosen, rejected): (Vec<f32>, Vec<f32>) = rewards.into_iter().unzip();
        let of = |form| {
            let leaf = |values: &[f32]| Tensor::<1>::from_data(values, &Device::flex().autodiff()).require_grad();
            let (chosen, rejected) = (leaf(&chosen), leaf(&rejected));
            let objective = DphObjective { form, ..listwise(label_smoothing) };
            let term = objective.forward(chosen.clone(), rejected.clone());
            let gradients = term.loss.backward();
            [values(term.loss), values(chosen.grad(&gradients).unwrap()), values(rejected.grad(&gradients).unwrap())]
        };
        let ([a, b, c], [d, e, f]) = (of(DphForm::Listwise), of(DphForm::Contrastive));
        for (one, other) in [a, b, c].concat().iter().zip([d, e, f].concat()) {
            prop_assert!((one - other).abs() <= 1e-5 * (1.0 + other.abs()), "{one} is not {other}");
        }
    }

    /// A constant that is added to all rewards of a set changes nothing, and large rewards do not overflow.
    #[test]
    fn only_differences_within_a_set_count(shift in -1000i16..1000, large in -1e4f32..1e4) {
        let loss = |shift: f32| {
            let rewards = [1.0 + shift, large.round() + shift, 3.0 + shift, 2.0, 5.0];
            let rewards = Tensor::<1>::from_data(rewards, &Device::flex());
            values(listwise(0.1).forward_pairs(rewards, &Pairs::all([(0..3, 0), (3..5, 1)])).loss)[0]
        };
        prop_assert!(loss(0.0).is_finite());
        prop_assert_eq!(loss(0.0), loss(f32::from(shift)));
    }
}
