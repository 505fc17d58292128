//! Scorers that combine others: relative likelihoods, weighted sums of heads, mixtures.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;
mod support;

use std::fs;
use std::path::Path;

use command::run;
use dph_eval::{DocumentScores, Results, ScoredCandidate};
use serde_json::{Value, json};
use support::{lswt, write_model, write_model_with_head, write_rows};

/// A model with two heads, and rows of BoolQ with a training split.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    write_model_with_head(&place.path().join("model"), &lswt(), &["preference", "truth"]);
    let rows = |from: usize, count: usize| {
        (from..from + count).map(
            |i| json!({"passage": "Old Ann lives here.", "question": format!("is it {i}"), "answer": i % 3 == 0}),
        )
    };
    write_rows(&place.path().join("data/boolq/validation.jsonl"), rows(0, 24));
    write_rows(&place.path().join("data/boolq/train.jsonl"), rows(100, 30));
    place
}

fn bench(dir: &Path, scorers: &[&str]) -> (Results, Vec<DocumentScores>) {
    let scorers = scorers.iter().flat_map(|scorer| ["--scorer", scorer]);
    let args = ["bench", "model", "--task", "boolq", "--data", "data", "--json", "--out", "out"];
    let args: Vec<&str> = args.into_iter().chain(scorers).collect();
    let results = serde_json::from_str(&run(dir, &args).ok()).unwrap();
    (results, DocumentScores::load_all(&dir.join("out")).unwrap())
}

#[track_caller]
fn assert_accuracy(
    results: &Results,
    documents: &[DocumentScores],
    scorer: &str,
    value: impl Fn(&ScoredCandidate) -> f64,
) {
    let right = documents.iter().filter(|document| {
        let [no, yes] = [0, 1].map(|index| value(&document.candidates[index]));
        document.gold == Some(usize::from(yes > no))
    });
    let share = right.count() as f64 / documents.len() as f64;
    let result = results.results.iter().find(|result| result.scorer == scorer).unwrap();
    assert!((result.measurement.value - share).abs() < 1e-12, "{scorer}: {result:?}, {share}");
}

#[test]
fn a_relative_likelihood_is_what_the_question_adds() {
    let place = place();
    let (results, documents) = bench(place.path(), &["loglik-relative", "loglik-sum"]);
    let names: Vec<&str> = results.results.iter().map(|result| &*result.scorer).collect();
    assert_eq!(names, ["loglik-relative", "loglik-sum"]);
    let relative = |candidate: &ScoredCandidate| candidate.loglik.unwrap() - candidate.unconditional.unwrap();
    assert_accuracy(&results, &documents, "loglik-relative", relative);
    assert_accuracy(&results, &documents, "loglik-sum", |candidate| candidate.loglik.unwrap());
    // The same answers have the same likelihood without a question, and another one with it.
    for document in &documents[1..] {
        for (candidate, first) in document.candidates.iter().zip(&documents[0].candidates) {
            let [found, expected] = [candidate, first].map(|candidate| candidate.unconditional.unwrap());
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
            assert!((candidate.loglik.unwrap() - found).abs() > 1e-4);
        }
    }
    // It costs nothing where it is not asked for.
    let (_, without) = bench(place.path(), &["both"]);
    assert!(without.iter().all(|document| document.candidates[0].unconditional.is_none()));

    let args = ["rank", "model", "--prompt", "Who?", "--candidate", "Ann.", "--candidate", "Bob.", "--json"];
    let ranked: Value = serde_json::from_str(
        &run(
            place.path(),
            &[&args[..], &["--scorer", "loglik-relative", "--scorer", "reward:preference+truth"]].concat(),
        )
        .ok(),
    )
    .unwrap();
    assert_eq!(ranked["scorer"], "reward:preference+truth");
    assert!(ranked["ranking"][0]["scores"]["loglik-relative"].is_number(), "{ranked}");
    let error = run(place.path(), &[&args[..], &["--scorer", "mixture:truth"]].concat()).failed(2);
    assert!(error.contains("a mixture has a weight that `bench` chooses on tasks"), "{error}");
}

#[test]
fn a_sum_of_heads_and_a_mixture_follow_from_the_scores_of_the_documents() {
    let place = place();
    let sum = "reward:0.7*preference+-0.3*truth";
    let (results, documents) = bench(place.path(), &[sum, "mixture:truth", "reward:truth", "mixture:truth"]);
    let names: Vec<&str> = results.results.iter().map(|result| &*result.scorer).collect();
    assert_eq!(names, [sum, "mixture:truth", "reward:truth"]);
    let reward = |candidate: &ScoredCandidate, head: &str| f64::from(candidate.rewards[head].unwrap());
    assert_accuracy(&results, &documents, sum, |candidate| {
        0.7 * reward(candidate, "preference") - 0.3 * reward(candidate, "truth")
    });
    let [mixture] = &results.mixtures[..] else { panic!("{:?}", results.mixtures) };
    assert_eq!((mixture.scorer.as_str(), mixture.documents), ("mixture:truth", 30));
    assert_accuracy(&results, &documents, "mixture:truth", |candidate| {
        let loglik = candidate.loglik.unwrap() / candidate.tokens as f64;
        mixture.weight * reward(candidate, "truth") / mixture.reward_scale
            + (1.0 - mixture.weight) * loglik / mixture.loglik_scale
    });
    // The comparison and the calibration know its weight from the results.
    let args = ["compare", "out", "--scorer-a", "reward:truth", "--scorer-b", "mixture:truth", "--json"];
    let compared: Value = serde_json::from_str(&run(place.path(), &args).ok()).unwrap();
    let task = &compared["scorers"][0]["tasks"][0];
    for (side, scorer) in [("a", "reward:truth"), ("b", "mixture:truth")] {
        let result = results.results.iter().find(|result| result.scorer == scorer).unwrap();
        assert_eq!(task[side].as_f64(), Some(result.measurement.value), "{task}");
    }
    run(place.path(), &["compare", "out", "out/results.json", "--scorer-b", "mixture:truth"]).ok();
    let calibrated = run(place.path(), &["calibrate", "out"]).ok();
    assert!(calibrated.contains("mixture:truth on 24 documents"), "{calibrated}");
    // The training documents are not among the results.
    assert_eq!(documents.len(), 24);
    // At the weights 0 and 1 there are the accuracies of the parts.
    assert!(mixture.accuracy > 0.3 && (0.0..=1.0).contains(&mixture.weight));

    fs::remove_file(place.path().join("data/boolq/train.jsonl")).unwrap();
    let args = ["bench", "model", "--task", "boolq", "--data", "data", "--scorer"];
    for (scorer, expected) in [
        ("mixture:truth", "its weight is chosen on the training splits of the tasks"),
        ("mixture:truh", "there is no head `truh`: did you mean `truth`?"),
        ("reward:0.5*preference+x", "there is no head `x`: the model has preference, truth"),
        ("loglik-rel", "did you mean `loglik-relative`?"),
    ] {
        let error = run(place.path(), &[&args[..], &[scorer]].concat()).failed(2);
        assert!(error.contains(expected), "{scorer}: {error}");
    }
    write_model(&place.path().join("plain"), &lswt());
    let args = ["bench", "plain", "--task", "boolq", "--data", "data", "--scorer", "mixture:truth"];
    let error = run(place.path(), &args).failed(2);
    assert!(error.contains("`plain` has no preference head"), "{error}");
}

#[test]
fn documents_that_cannot_be_scored_are_named_and_in_no_figure() {
    let place = place();
    let dir = place.path();
    let long = json!({"id": "long", "passage": "x ".repeat(900), "question": "is it", "answer": true});
    let rows = fs::read_to_string(dir.join("data/boolq/validation.jsonl")).unwrap();
    fs::write(dir.join("data/boolq/validation.jsonl"), format!("{rows}{long}\n")).unwrap();
    // A head whose rewards are infinite.
    let path = dir.join("model/preference_head.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    for value in bytes[header..].chunks_exact_mut(4) {
        value.copy_from_slice(&3e38_f32.to_le_bytes());
    }
    fs::write(&path, bytes).unwrap();
    let args = ["bench", "model", "--task", "boolq", "--data", "data", "--json", "--out", "out"];
    let found = run(dir, &args);
    let said = found.stderr.clone();
    let results: Results = serde_json::from_str(&found.ok()).unwrap();
    for part in [
        "warning: boolq/validation: 1 document not counted, too long for the context of the model: ",
        "warning: boolq/validation: 24 documents not counted, a score is not finite (reward:preference, reward:truth): ",
        " and others",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let unscored: Vec<_> = results
        .unscored
        .iter()
        .map(|entry| (&*entry.reason, entry.documents.len(), entry.scorers.len()))
        .collect();
    assert_eq!(unscored, [("too-long", 1, 0), ("not-finite", 24, 2)]);
    // Nothing is left to average.
    let scorers: Vec<&str> = results.results.iter().map(|result| &*result.scorer).collect();
    assert_eq!(scorers, ["loglik-mean", "loglik-sum"]);
    assert!(results.results.iter().all(|result| result.documents == 24 && result.skipped["too-long"] == 1));
}
