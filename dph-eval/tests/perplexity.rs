//! The perplexity of whole texts through the real program: figures, tables and comparisons.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;
mod support;

use std::fs;

use command::run;
use dph_eval::{DocumentScores, Results, TaskResult};
use serde_json::{Value, json};
use support::{llama, lswt_with_registers, write_model, write_model_with_head, write_rows};

const TASK: &str =
    "name = 'stories'\nkind = 'text'\ntext = '{{ text }}'\nwindow = 64\nfiles = { test = 'stories.txt' }\n";

/// A model with a head, texts, and rows of BoolQ.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    write_model_with_head(&dir.join("model"), &llama(), &["preference"]);
    let story =
        |i: usize| format!("{} lived in a house. ", ["Ann", "Bob", "A cat"][i % 3]).repeat(1 + i * 7 % 23);
    let stories: Vec<String> = (0..24).map(story).collect();
    fs::write(dir.join("stories.txt"), stories.join("\n<|endoftext|>\n")).unwrap();
    fs::write(dir.join("stories.toml"), TASK).unwrap();
    let boolq = (0..12)
        .map(|i| json!({"passage": "Old Ann.", "question": format!("is it {i}"), "answer": i % 3 == 0}));
    write_rows(&dir.join("data/boolq/validation.jsonl"), boolq);
    place
}

#[test]
fn figures_follow_from_the_likelihoods_of_the_texts() {
    let place = place();
    let dir = place.path();
    let args = ["bench", "model", "--task", "stories.toml", "--split", "test", "--out", "out", "--json"];
    let results: Results = serde_json::from_str(&run(dir, &args).ok()).unwrap();
    let documents = DocumentScores::load_all(&dir.join("out")).unwrap();
    assert_eq!(documents.len(), 24);
    let only = |document: &DocumentScores| document.candidates[0].clone();
    let sum =
        |of: fn(dph_eval::ScoredCandidate) -> f64| documents.iter().map(|one| of(only(one))).sum::<f64>();
    let loglik = sum(|text| text.loglik.unwrap());
    let [words, bytes] = [sum(|text| text.words.unwrap() as f64), sum(|text| text.bytes as f64)];
    let expected = [(-loglik / words).exp(), (-loglik / bytes).exp(), -loglik / bytes / 2.0_f64.ln()];
    let names: Vec<(&str, &str)> =
        results.results.iter().map(|result| (result.scorer.as_str(), result.metric.as_str())).collect();
    let metrics = ["word-perplexity", "byte-perplexity", "bits-per-byte"];
    assert_eq!(names, metrics.map(|metric| ("loglik-sum", metric)));
    for (result, expected) in results.results.iter().zip(expected) {
        let TaskResult { measurement, documents, window, chance, .. } = result;
        assert!((measurement.value / expected - 1.0).abs() < 1e-12, "{result:?} {expected}");
        let [low, high] = measurement.interval.unwrap();
        assert!(low < measurement.value && measurement.value < high && measurement.stderr.unwrap() > 0.0);
        assert_eq!((*documents, *window, *chance, measurement.p_baseline), (24, Some(64), None, None));
    }
    let table = run(dir, &["report", "out"]).ok();
    assert!(table.contains("stories (bits-per-byte)") && !table.contains("chance"), "{table}");
    assert!(table.contains(&format!("{:.3} ± ", expected[2])), "{table}");
    assert!(
        table.contains("stories/test: not in per cent, lower is better; windows of 64 tokens"),
        "{table}"
    );
}

/// Beside questions, with all scorers: the texts change nothing of these, and have their own scorer.
#[test]
fn texts_and_questions_are_evaluated_together() {
    let place = place();
    let dir = place.path();
    let bench = |tasks: &[&str]| -> Vec<Value> {
        let mut args = vec!["bench", "model", "--data", "data", "--json"];
        tasks.iter().for_each(|task| args.extend(["--task", task]));
        ["loglik-relative", "both"].iter().for_each(|scorer| args.extend(["--scorer", scorer]));
        let results: Value = serde_json::from_str(&run(dir, &args).ok()).unwrap();
        results["results"].as_array().unwrap().clone()
    };
    let of = |results: &[Value], task: &str| -> Vec<Value> {
        results.iter().filter(|result| result["task"] == task).cloned().collect()
    };
    let both = bench(&["stories.toml", "boolq"]);
    let (texts, questions) = (of(&both, "stories"), of(&both, "boolq"));
    assert_eq!((texts.len(), questions.len()), (3, 4));
    assert_eq!(of(&bench(&["boolq"]), "boolq"), questions);
    let alone = bench(&["stories.toml"]);
    for (a, b) in alone.iter().zip(&texts) {
        let [a, b] = [a, b].map(|result| result["value"].as_f64().unwrap());
        assert!((a / b - 1.0).abs() < 1e-4, "{a} {b}");
    }
    let error = run(dir, &["bench", "model", "--task", "world_text"]).failed(2);
    assert!(error.contains("has no split `test`; it has train, validation"), "{error}");
}

#[test]
fn a_lower_perplexity_is_better() {
    let place = place();
    let dir = place.path();
    write_model(&dir.join("other"), &lswt_with_registers());
    for model in ["model", "other"] {
        run(
            dir,
            &["bench", model, "--task", "stories.toml", "--scorer", "log", "--out", &format!("out-{model}")],
        )
        .ok();
    }
    let json: Value =
        serde_json::from_str(&run(dir, &["compare", "out-model", "out-other", "--json"]).ok()).unwrap();
    assert_eq!(json["scorers"].as_array().unwrap().len(), 1);
    for task in json["scorers"][0]["tasks"].as_array().unwrap() {
        let [a, b] = ["a", "b"].map(|side| task[side].as_f64().unwrap());
        let verdict = if b < a { "better" } else { "worse" };
        assert_eq!((task["verdict"].as_str(), task["test"].as_str()), (Some(verdict), Some("permutation")));
        assert!((task["difference"].as_f64().unwrap() - (b - a)).abs() < 1e-9);
    }
    fs::write(dir.join("stories.toml"), TASK.replace("64", "32")).unwrap();
    run(dir, &["bench", "other", "--task", "stories.toml", "--out", "out-other"]).ok();
    let text = run(dir, &["compare", "out-model", "out-other"]).ok();
    assert!(text.contains("stories/test (bits-per-byte)"), "{text}");
    assert!(text.contains("stories/test: windows of 64 tokens in A and of 32 in B"), "{text}");
    let error = run(dir, &["compare", "out-model", "--scorer-a", "loglik-sum", "--scorer-b", "loglik-mean"])
        .failed(2);
    assert!(error.contains("out-model has no scorer `loglik-mean`"), "{error}");
}
