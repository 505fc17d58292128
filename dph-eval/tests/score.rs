//! One pass for all candidates gives the numbers of each candidate alone.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

mod support;

use dph_core::{Candidate, CandidateScores, CandidateSet, Layer};
use dph_eval::{Model, Progress, ScoreError, Scoring, Unscorable, score};
use proptest::prelude::*;
use serde_json::json;
use support::{head_on, llama, lswt, lswt_with_registers, model, set};

const TOLERANCE: f64 = 1e-5;

fn all(token_budget: usize) -> Scoring {
    Scoring { token_budget, ..Scoring::default() }
}

fn scores(model: &Model, sets: &[CandidateSet], scoring: &Scoring) -> Vec<Vec<CandidateScores>> {
    score(model, sets, scoring, &mut |_| {}).unwrap()
}

/// Each candidate in a batch of its own.
fn alone(model: &Model, set: &CandidateSet) -> Vec<CandidateScores> {
    let single =
        |index: usize| CandidateSet { candidates: vec![set.candidates[index].clone()], ..set.clone() };
    (0..set.candidates.len())
        .map(|index| scores(model, &[single(index)], &all(1)).remove(0).remove(0))
        .collect()
}

fn sets(lengths: &[(usize, Vec<usize>)]) -> Vec<CandidateSet> {
    let mut token = 0;
    let mut tokens = |count: usize| -> Vec<u32> {
        (0..count)
            .map(|_| {
                token = (token * 37 + 11) % 600;
                5 + token
            })
            .collect()
    };
    lengths
        .iter()
        .enumerate()
        .map(|(index, (prompt, answers))| {
            let prompt = tokens(*prompt);
            let answers: Vec<Vec<u32>> = answers.iter().map(|&count| tokens(count)).collect();
            let answers: Vec<&[u32]> = answers.iter().map(Vec::as_slice).collect();
            set(&format!("s{index}"), &prompt, &answers)
        })
        .collect()
}

#[test]
fn a_set_with_many_candidates_is_several_batches() {
    let model = model(&llama(), Layer::Last);
    let many: Vec<usize> = (0..200).map(|index| 1 + index % 9).collect();
    let set = sets(&[(5, many)]);
    let mut batches = 0;
    let found = score(&model, &set, &all(64), &mut |progress| {
        batches += 1;
        assert_eq!(progress.done, usize::from(progress.tokens_done == progress.tokens_total));
    });
    // A row has at most 16 times the tokens of its prompt, or as many as the budget allows.
    assert!((13..=20).contains(&batches), "{batches}");
    assert_same(&found.unwrap()[0], &scores(&model, &set, &all(100_000))[0]);
}

#[track_caller]
fn assert_same(found: &[CandidateScores], expected: &[CandidateScores]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found.loglik - expected.loglik).abs() <= TOLERANCE * (1.0 + expected.tokens as f64),
            "{found:?} {expected:?}"
        );
        assert_eq!((found.tokens, found.bytes), (expected.tokens, expected.bytes));
        assert_eq!(found.rewards.len(), 2);
        for (found, expected) in found.rewards.iter().zip(&expected.rewards) {
            assert!(f64::from((found - expected).abs()) <= TOLERANCE, "{found} {expected}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn packed_and_alone_agree_whatever_the_budget(
        lengths in prop::collection::vec((1_usize..20, prop::collection::vec(0_usize..9, 1..5)), 1..7),
        budget in 1_usize..400,
        family in 0..3,
    ) {
        let model = match family {
            0 => model(&lswt(), Layer::At(2)),
            1 => model(&llama(), Layer::Last),
            _ => model(&lswt_with_registers(), Layer::At(0)),
        };
        let sets = sets(&lengths);
        let found = scores(&model, &sets, &all(budget));
        prop_assert_eq!(found.len(), sets.len());
        for (found, set) in found.iter().zip(&sets) {
            assert_same(found, &alone(&model, set));
        }
    }
}

/// Heads that read the whole conversation too.
#[test]
fn prompts_with_one_beginning_agree_with_prompts_alone() {
    let beginning: Vec<u32> = (5..45).collect();
    let mut sets = sets(&[(6, vec![3, 2]), (1, vec![4]), (9, vec![1, 1, 2]), (40, vec![2]), (3, vec![5, 0])]);
    for set in &mut sets[..3] {
        set.prompt = [&beginning[..], &set.prompt].concat();
    }
    sets[4].prompt = sets[0].prompt.clone();
    for family in [lswt(), llama(), lswt_with_registers()] {
        for tokens in
            [json!("end-of-turn"), json!("mean"), json!({"attention": {"layers": ["self", "cross"]}})]
        {
            let mut model = model(&family, Layer::At(2));
            let aggregation = serde_json::from_value(json!({"layers": 2, "tokens": tokens})).unwrap();
            model.head = Some(head_on(aggregation, &["preference", "helpfulness"]));
            let whole = scores(&model, &sets, &all(4096));
            for (found, set) in whole.iter().zip(&sets) {
                assert_same(found, &alone(&model, set));
            }
            let small = scores(&model, &sets, &all(60));
            small.iter().zip(&whole).for_each(|(small, whole)| assert_same(small, whole));
        }
    }
}

#[test]
fn a_beginning_is_computed_once() {
    let model = model(&llama(), Layer::Last);
    let beginning: Vec<u32> = (5..105).collect();
    let mut sets = sets(&[(6, vec![3]), (8, vec![3]), (9, vec![3])]);
    sets.iter_mut().for_each(|set| set.prompt = [&beginning[..], &set.prompt].concat());
    let total = |sets: &[CandidateSet]| {
        let mut total = Progress::default();
        score(&model, sets, &all(4096), &mut |progress| total = progress).unwrap();
        assert_eq!((total.done, total.tokens_done), (total.total, total.tokens_total));
        total.tokens_total
    };
    assert_eq!(total(&sets), 100 + 6 + 8 + 9 + 3 * 4);
    assert_eq!(total(&sets[..1]), 110);
}

#[test]
fn a_likelihood_is_a_sum_of_log_probabilities() {
    let model = model(&llama(), Layer::Last);
    let of = |answer: &[u32]| scores(&model, &[set("s", &[2, 9], &[answer])], &all(100))[0][0].loglik;
    let after = |prompt: &[u32], answer: &[u32]| {
        scores(&model, &[set("s", prompt, &[answer])], &all(100))[0][0].loglik
    };
    let chained = of(&[20]) + after(&[2, 9, 20], &[30]) + after(&[2, 9, 20, 30], &[40]);
    assert!((of(&[20, 30, 40]) - chained).abs() < TOLERANCE);
    // All tokens that could follow share a probability of one.
    let every: Vec<[u32; 1]> = (0..support::VOCAB as u32).map(|token| [token]).collect();
    let every: Vec<&[u32]> = every.iter().map(|token| token.as_slice()).collect();
    let total: f64 =
        scores(&model, &[set("s", &[2, 9], &every)], &all(1))[0].iter().map(|s| s.loglik.exp()).sum();
    assert!((total - 1.0).abs() < 1e-4, "{total}");
}

#[test]
fn only_what_is_asked_for_is_scored() {
    let model = model(&lswt(), Layer::At(1));
    let sets = sets(&[(4, vec![2, 3])]);
    let both = &scores(&model, &sets, &all(100))[0];
    let rewards = &scores(&model, &sets, &Scoring { log_likelihood: false, ..all(100) })[0];
    let likelihood = &scores(&model, &sets, &Scoring { rewards: false, ..all(100) })[0];
    let nothing = &scores(&model, &sets, &Scoring { rewards: false, log_likelihood: false, ..all(100) })[0];
    for index in 0..2 {
        assert!(rewards[index].loglik.is_nan() && likelihood[index].rewards.is_empty());
        for (alone, both) in rewards[index].rewards.iter().zip(&both[index].rewards) {
            assert!((alone - both).abs() < 1e-6);
        }
        assert!((likelihood[index].loglik - both[index].loglik).abs() < TOLERANCE);
        assert!(nothing[index].loglik.is_nan() && nothing[index].rewards.is_empty());
        assert_eq!(nothing[index].tokens, 2 + index);
    }
}

/// Candidates without a common token are a set with an empty prompt.
#[test]
fn candidates_that_share_no_token_have_the_scores_of_those_alone() {
    let candidate = |context: &[u32], answer: &[u32]| Candidate {
        tokens: [context, answer, &[2]].concat(),
        answer: context.len()..context.len() + answer.len(),
        bytes: answer.len(),
        ..Candidate::default()
    };
    let parts: [(&[u32], &[u32]); 4] =
        [(&[5, 6, 7], &[8, 9]), (&[10], &[11, 12, 13]), (&[14, 15], &[]), (&[5, 6], &[8])];
    let together = CandidateSet {
        id: "s".into(),
        candidates: parts.iter().map(|(context, answer)| candidate(context, answer)).collect(),
        ..CandidateSet::default()
    };
    let alone: Vec<CandidateSet> = parts
        .iter()
        .map(|(context, answer)| CandidateSet {
            prompt: context.to_vec(),
            candidates: vec![candidate(&[], answer)],
            ..together.clone()
        })
        .collect();
    for model in [
        model(&llama(), Layer::Last),
        model(&lswt(), Layer::Last),
        model(&lswt_with_registers(), Layer::Last),
    ] {
        let expected = scores(&model, &alone, &all(100)).concat();
        for budget in [1, 100] {
            assert_same(&scores(&model, std::slice::from_ref(&together), &all(budget))[0], &expected);
        }
    }
}

#[test]
fn progress_ends_when_all_is_done() {
    let sets = sets(&[(4, vec![2, 3]), (9, vec![1, 1, 1]), (2, vec![8])]);
    for model in [model(&lswt(), Layer::Last), model(&lswt_with_registers(), Layer::Last)] {
        let mut seen: Vec<Progress> = Vec::new();
        score(&model, &sets, &all(16), &mut |progress| seen.push(progress)).unwrap();
        assert!(seen.len() > 1);
        assert!(seen.is_sorted_by_key(|progress| (progress.done, progress.tokens_done)));
        let last = seen.last().unwrap();
        assert_eq!((last.done, last.tokens_done), (3, last.tokens_total));
        assert_eq!(last.total, 3);
    }
}

#[test]
fn a_set_that_does_not_fit_is_named() {
    let model = model(&lswt(), Layer::Last);
    let error = |set: CandidateSet| score(&model, &[set], &all(100), &mut |_| {}).unwrap_err();
    let of = |source| ScoreError::Set { id: "s".into(), source };
    assert_eq!(error(set("s", &[], &[&[5]])), of(Unscorable::NoContext { candidate: 0 }));
    assert_eq!(error(set("s", &[5], &[])), of(Unscorable::NoCandidate));
    assert_eq!(
        error(set("s", &[5, 1024], &[&[5]])),
        of(Unscorable::UnknownToken { token: 1024, vocab: 1024 })
    );
    assert_eq!(
        error(set("s", &[5; 250], &[&[5], &[5; 6]])),
        of(Unscorable::TooLong { tokens: 257, context: 256 })
    );
    let mut without = set("s", &[5], &[&[5], &[]]);
    without.candidates[1].tokens.clear();
    assert_eq!(error(without), of(Unscorable::EmptyCandidate { candidate: 1 }));
    assert!(scores(&model, &[], &all(100)).is_empty());
}
