//! Generation with a preference head: the rewards of a whole pass, fewer tokens where that is asked for, clear errors.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use dph_core::{Aggregation, Candidate, CandidateSet, Layer, PreferenceHeadConfig, TokenRewards};
use dph_eval::{
    AnswerEnd, AnswerSet, BestOf, Generation, Model, PrefixCache, Rejection, Scoring, Selection, Stopping,
    generate, score, token_rewards,
};
use dph_model::Sampling;
use support::*;

/// Every kind of aggregation, streaming or not.
const AGGREGATIONS: &[&str] = &[
    r#"{"layers": 2}"#,
    r#"{"layers": {"mean": [1, 2]}, "tokens": "mean", "opening": 2}"#,
    r#"{"layers": {"weighted": [1, "last"]}, "tokens": "weighted-mean", "token_norm": "both"}"#,
    r#"{"layers": {"signed": [0, 2]}, "tokens": "max"}"#,
    r#"{"tokens": {"moving-average": {"decay": 0.8}}}"#,
    r#"{"layers": 1, "tokens": {"moving-average": {"learn": "components", "rotation": true, "gate": true}}}"#,
    r#"{"tokens": {"attention": {"layers": ["pool"], "heads": 2}}}"#,
    r#"{"tokens": {"attention": {"layers": ["self", "cross"], "heads": 2}}}"#,
];

/// A model whose head has this aggregation, standardised.
fn model_with(config: &str, aggregation: &str) -> Model {
    let mut model = model(config, Layer::At(2));
    let aggregation: Aggregation = serde_json::from_str(aggregation).unwrap();
    let config = PreferenceHeadConfig {
        aggregation,
        standardise: true,
        rewards: vec!["preference".into(), "helpfulness".into()],
        ..PreferenceHeadConfig::new(D_MODEL, 48)
    };
    let head = noisy(config.init(7, &dph_core::device("flex").unwrap()));
    model.head = Some((head, config));
    model
}

fn sampling(max_tokens: usize) -> Sampling {
    Sampling { temperature: 1.0, max_tokens, ..Sampling::default() }
}

fn run(model: &Model, prompts: &[Vec<u32>], settings: &BestOf) -> Vec<AnswerSet> {
    generate(model, prompts, settings, &mut |_| {}).unwrap()
}

/// The answers as candidates: their tokens, and the end of the turn.
fn as_set(model: &Model, prompt: &[u32], answers: &AnswerSet) -> CandidateSet {
    let end = model.tokenizer.end_of_turn_id();
    let candidates = answers.answers.iter().map(|answer| {
        Candidate::new(answer.tokens.iter().copied().chain([end]).collect(), answer.text.len())
    });
    CandidateSet { prompt: prompt.to_vec(), candidates: candidates.collect(), ..CandidateSet::default() }
}

#[track_caller]
fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5, "{what}: off by {worst}, {found:?} and {expected:?}");
}

#[test]
fn rewards_of_growing_answers_are_those_of_scoring_the_same_tokens() {
    let prompts = [vec![5, 6, 7, 8, 9, 10, 11], vec![12, 13]];
    for config in [lswt(), llama(), lswt_with_registers()] {
        for aggregation in AGGREGATIONS {
            let model = model_with(&config, aggregation);
            for answers in [1, 4] {
                let settings = BestOf { answers, sampling: sampling(9), ..BestOf::default() };
                let together = run(&model, &prompts, &settings);
                for (prompt, set) in prompts.iter().zip(&together) {
                    let what = format!("{aggregation}, {answers} answers");
                    let scored = as_set(&model, prompt, set);
                    let scores =
                        score(&model, &[scored], &Scoring::default(), &mut |_| {}).unwrap().remove(0);
                    for (answer, scores) in set.answers.iter().zip(&scores) {
                        assert_close(&what, &answer.scores.rewards, &scores.rewards);
                        // The cache of a model whose numbers depend on the length has others than a whole pass.
                        if model.backbone.is_packable() {
                            assert!((answer.scores.loglik - scores.loglik).abs() < 1e-4, "{what}");
                        }
                    }
                    let alone = run(&model, std::slice::from_ref(prompt), &settings).remove(0);
                    let texts = |set: &AnswerSet| -> Vec<String> {
                        set.answers.iter().map(|answer| answer.text.clone()).collect()
                    };
                    assert_eq!(texts(&alone), texts(set), "{what}: the same text whatever else runs");
                }
            }
        }
    }
}

/// Prompts that begin with earlier ones have the answers and the rewards that they have when they are computed as a whole.
#[test]
fn what_later_prompts_begin_with_is_not_computed_again() {
    let first: Vec<u32> = (5..45).collect();
    let further = |kept: usize, others: std::ops::Range<u32>| -> Vec<u32> {
        first[..kept].iter().copied().chain(others).collect()
    };
    let prompts =
        [first.clone(), further(40, 60..75), further(30, 80..84), first.clone(), further(4, 90..120)];
    for config in [lswt(), llama(), lswt_with_registers()] {
        for aggregation in AGGREGATIONS {
            let model = model_with(&config, aggregation);
            let settings =
                BestOf { answers: 3, sampling: sampling(9), token_rewards: true, ..BestOf::default() };
            let settings = match model.backbone.is_packable() {
                true => settings,
                false => BestOf { token_rewards: false, ..settings },
            };
            let mut prefixes = PrefixCache::new(1 << 24);
            for prompt in &prompts {
                let prompt = std::slice::from_ref(prompt);
                let expected = run(&model, prompt, &settings).remove(0);
                let mut generation =
                    Generation::with_prefixes(&model, prompt, &settings, &mut prefixes).unwrap();
                while generation.step(&mut |_| {}).unwrap() {}
                let found = generation.finish().unwrap().remove(0);
                assert_eq!((found.answers.len(), found.usage), (3, expected.usage), "{aggregation}");
                for (found, expected) in found.answers.iter().zip(&expected.answers) {
                    assert_eq!(found.text, expected.text, "{aggregation}");
                    assert_close(aggregation, &found.scores.rewards, &expected.scores.rewards);
                    assert_close(
                        aggregation,
                        &found.token_rewards.concat(),
                        &expected.token_rewards.concat(),
                    );
                    assert!((found.scores.loglik - expected.scores.loglik).abs() < 1e-4, "{aggregation}");
                }
            }
            // The last token of a prompt is always computed, and few tokens are not worth it.
            let expected = if model.backbone.is_packable() { (3, 40 + 30 + 39) } else { (0, 0) };
            assert_eq!((prefixes.hits(), prefixes.saved()), expected);
        }
    }
}

#[test]
fn the_reward_so_far_is_that_of_an_answer_that_ends_here() {
    let prompt = vec![5, 6, 7];
    let end = |model: &Model| model.tokenizer.end_of_turn_id();
    for aggregation in AGGREGATIONS {
        let model = model_with(&lswt(), aggregation);
        let reads_end = aggregation.contains(r#""layers": 2}"#) && !aggregation.contains("tokens");
        let settings = BestOf { answers: 2, sampling: sampling(6), token_rewards: true, ..BestOf::default() };
        let set = run(&model, std::slice::from_ref(&prompt), &settings).remove(0);
        let branches: usize = set.answers.iter().map(|answer| answer.token_rewards.len()).sum();
        for answer in &set.answers {
            assert_eq!(answer.token_rewards.len(), answer.tokens.len(), "{aggregation}");
            for (index, rewards) in answer.token_rewards.iter().enumerate() {
                let mut tokens = answer.tokens[..=index].to_vec();
                if reads_end {
                    tokens.push(end(&model));
                }
                let candidates = vec![Candidate::new(tokens, 0)];
                let set = CandidateSet { prompt: prompt.clone(), candidates, ..CandidateSet::default() };
                let scores = score(&model, &[set], &Scoring::default(), &mut |_| {}).unwrap();
                assert_close(aggregation, rewards, &scores[0][0].rewards);
            }
        }
        assert!(!reads_end || set.usage.branches >= branches, "{aggregation}: branches are counted");
    }
}

#[test]
fn rejection_drops_answers_and_keeps_the_best() {
    let model = model_with(&lswt(), AGGREGATIONS[0]);
    let prompts = [vec![5, 6, 7], vec![8, 9]];
    let plain = BestOf { answers: 8, sampling: sampling(24), ..BestOf::default() };
    let rejection = Rejection { every: 4, fraction: 0.5, minimum: 2 };
    let halved = BestOf { rejection: Some(rejection), ..plain.clone() };
    for (all, fewer) in run(&model, &prompts, &plain).iter().zip(run(&model, &prompts, &halved)) {
        let ends: Vec<AnswerEnd> = fewer.answers.iter().map(|answer| answer.end).collect();
        let rejected = ends.iter().filter(|&&end| end == AnswerEnd::Rejected).count();
        assert!(rejected >= 4 && ends.len() - rejected >= 2, "{ends:?}");
        assert_ne!(fewer.best().end, AnswerEnd::Rejected);
        assert!(fewer.usage.generated < all.usage.generated);
        assert!(fewer.usage.branches > 0);
        // What was not dropped is as without rejection.
        for (answer, whole) in fewer.answers.iter().zip(&all.answers) {
            assert!(whole.text.starts_with(&answer.text) || answer.end != AnswerEnd::Rejected);
            if answer.end != AnswerEnd::Rejected {
                assert_eq!(answer.text, whole.text);
            }
        }
        let best = |set: &AnswerSet| set.best().scores.rewards[0];
        assert!(best(&fewer) <= best(all) + 1e-5);
        let kept = fewer.answers.iter().filter(|answer| answer.end != AnswerEnd::Rejected);
        assert!(kept.map(|answer| answer.scores.rewards[0]).all(|reward| reward <= best(&fewer)));
    }
}

#[test]
fn no_further_answers_are_generated_where_they_are_not_worth_their_price() {
    let model = model_with(&lswt(), AGGREGATIONS[1]);
    let prompts = [vec![5, 6, 7], vec![8, 9]];
    let counts = |price: f64| -> Vec<usize> {
        let stopping = Some(Stopping { price, wave: 2 });
        let settings = BestOf { answers: 7, sampling: sampling(5), stopping, ..BestOf::default() };
        run(&model, &prompts, &settings).iter().map(|set| set.answers.len()).collect()
    };
    assert_eq!(counts(0.0), [7, 7]);
    assert_eq!(counts(1e9), [2, 2]);
    // The answers of later waves are those that would have been generated at once.
    let settings = BestOf { answers: 7, sampling: sampling(5), ..BestOf::default() };
    let at_once = run(&model, &prompts, &settings);
    let stopping = Some(Stopping { price: 0.0, wave: 3 });
    let in_waves = run(&model, &prompts, &BestOf { stopping, ..settings });
    for (a, b) in at_once.iter().zip(&in_waves) {
        assert!(a.answers.iter().zip(&b.answers).all(|(a, b)| a.text == b.text));
    }
}

#[test]
fn a_stop_string_ends_an_answer_and_what_is_left_is_scored() {
    let model = model_with(&lswt(), AGGREGATIONS[0]);
    let prompt = vec![5, 6, 7];
    let settings = BestOf { answers: 4, sampling: sampling(40), ..BestOf::default() };
    let plain = run(&model, std::slice::from_ref(&prompt), &settings).remove(0);
    // A text in the middle of an answer, and one that never comes.
    let text: Vec<char> = plain.answers[0].text.chars().collect();
    let stop: String = text[text.len() / 2..text.len() / 2 + 3].iter().collect();
    let stops = vec!["\u{1}never\u{1}".into(), stop.clone(), String::new()];
    let cut =
        run(&model, std::slice::from_ref(&prompt), &BestOf { stop_strings: stops, ..settings }).remove(0);
    let first = &cut.answers[0];
    assert_eq!(first.end, AnswerEnd::StopString);
    for (cut, plain) in cut.answers.iter().zip(&plain.answers) {
        assert_eq!(cut.text, plain.text.split(&stop).next().unwrap());
    }
    assert!(cut.usage.rescored > 0);
    let scores =
        score(&model, &[as_set(&model, &prompt, &cut)], &Scoring::default(), &mut |_| {}).unwrap().remove(0);
    for (answer, scores) in cut.answers.iter().zip(&scores) {
        assert_close("a cut answer", &answer.scores.rewards, &scores.rewards);
        assert!((answer.scores.loglik - scores.loglik).abs() < 1e-4);
    }
}

#[test]
fn answers_are_chosen_by_what_is_asked_for() {
    let model = model_with(&lswt(), AGGREGATIONS[0]);
    let prompts: Vec<Vec<u32>> = (5..17).map(|token| vec![token, token + 1]).collect();
    let choices = |selection, head| -> Vec<usize> {
        let settings = BestOf { answers: 5, sampling: sampling(6), selection, head, ..BestOf::default() };
        let sets = run(&model, &prompts, &settings);
        for set in &sets {
            let value = |index: usize| match selection {
                Selection::Reward => f64::from(set.answers[index].scores.rewards[head]),
                Selection::Loglik => {
                    set.answers[index].scores.loglik / set.answers[index].tokens.len().max(1) as f64
                }
                Selection::SelfCertainty => set.answers[index].self_certainty,
                Selection::Random => 0.0,
            };
            let empty = |index: usize| set.answers[index].tokens.is_empty();
            assert!((0..5).all(|index| value(index) <= value(set.chosen) || empty(index)), "{selection}");
        }
        sets.iter().map(|set| set.chosen).collect()
    };
    let all = [
        choices(Selection::Reward, 0),
        choices(Selection::Reward, 1),
        choices(Selection::Loglik, 0),
        choices(Selection::SelfCertainty, 0),
        choices(Selection::Random, 0),
    ];
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 5, "{all:?}");
    assert_eq!(choices(Selection::Random, 0), all[4]);
}

#[test]
fn the_rewards_at_every_token_end_with_the_reward_of_the_answer() {
    let model = model_with(&lswt(), r#"{"layers": 1, "running": "mean"}"#);
    let sets = [set("a", &[5, 6], &[&[7, 8, 9], &[10]]), set("b", &[5, 6, 11], &[&[12, 13]])];
    let scores = score(&model, &sets, &Scoring::default(), &mut |_| {}).unwrap();
    let tokens = token_rewards(&model, &sets, 4096).unwrap();
    let plain = token_rewards(&model_with(&lswt(), r#"{"layers": 1}"#), &sets, 4096).unwrap();
    for ((set, scores), (tokens, plain)) in sets.iter().zip(&scores).zip(tokens.iter().zip(&plain)) {
        for (index, candidate) in set.candidates.iter().enumerate() {
            let TokenRewards { rewards } = &tokens[index];
            assert_eq!(rewards.len(), candidate.turn().len());
            assert_close("the end", rewards.last().unwrap(), &scores[index].rewards);
        }
        assert_ne!(tokens[0].rewards[1], plain[0].rewards[1], "`running` combines tokens");
    }
}

#[test]
fn what_cannot_be_generated_is_told_with_a_remedy() {
    let model = model_with(&lswt(), AGGREGATIONS[0]);
    let error = |model: &Model, prompt: Vec<u32>, settings: BestOf| {
        generate(model, &[prompt], &settings, &mut |_| {}).unwrap_err().to_string()
    };
    let several = || BestOf { answers: 2, sampling: sampling(4), ..BestOf::default() };
    assert!(error(&model, vec![5], BestOf { answers: 0, ..several() }).contains("it must be at least 1"));
    assert!(error(&model, vec![], several()).contains("no tokens"));
    let long = error(&model, vec![5; 254], several());
    assert!(long.contains("254 tokens") && long.contains("context of 256"), "{long}");
    let greedy = BestOf { answers: 3, ..BestOf::default() };
    assert!(error(&model, vec![5], greedy).contains("the same answer 3 times"));
    assert!(error(&model, vec![5], BestOf { head: 2, ..several() }).contains("no reward head 2"));
    let rejection = Some(Rejection { fraction: 1.5, ..Rejection::default() });
    assert!(error(&model, vec![5], BestOf { rejection, ..several() }).contains("rejected fraction is 1.5"));
    let stopping = Some(Stopping { price: f64::NAN, wave: 4 });
    assert!(error(&model, vec![5], BestOf { stopping, ..several() }).contains("price of an answer is NaN"));
    let mut plain = model;
    plain.head = None;
    let found = error(&plain, vec![5], several());
    assert!(found.contains("no preference head, which a choice by reward needs"), "{found}");
    let by_length = model_with(&lswt_with_registers(), AGGREGATIONS[0]);
    let rejection = Some(Rejection::default());
    let found = error(&by_length, vec![5], BestOf { rejection, ..several() });
    assert!(found.contains("depend on the length of the sequence, so rejection"), "{found}");
    // Without a head, one answer needs no reward.
    let one = BestOf { sampling: sampling(4), ..BestOf::default() };
    assert!(run(&plain, &[vec![5]], &one)[0].best().scores.rewards.is_empty());
}
