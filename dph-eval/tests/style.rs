//! The style of documents: what is chosen by default, what is recorded, and what is refused.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;
mod support;

use std::fs;
use std::path::Path;

use command::{joined, run};
use dph_core::testing::tokenizer_folder;
use dph_core::{HEAD_CONFIG_FILE, Layer, Style};
use dph_eval::Results;
use serde_json::{Value, json};
use support::{head, llama, write_model};

/// A place with a model without a head, and rows of PIQA.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    write_model(&place.path().join("model"), &llama());
    fs::create_dir_all(place.path().join("data/piqa")).unwrap();
    let row = |i: usize| json!({ "goal": format!("Make bread {i}"), "sol1": "Bake it.", "sol2": "Eat it raw.", "label": i % 2 });
    let long = json!({ "goal": "far ".repeat(300), "sol1": "a", "sol2": "b", "label": 0 });
    let rows = (0..9).map(row).chain([long]).map(|row| format!("{row}\n"));
    fs::write(place.path().join("data/piqa/validation.jsonl"), rows.collect::<String>()).unwrap();
    place
}

fn write_head(dir: &Path, style: Style) {
    let (head, mut config) = head(Layer::At(2), &["preference"]);
    config.style = style;
    head.save(&config, dir).unwrap();
}

fn scorers(results: &Results) -> Vec<&str> {
    results.results.iter().map(|result| result.scorer.as_str()).collect()
}

const LIKELIHOODS: [&str; 4] = ["loglik-mean", "loglik-sum", "loglik-byte", "loglik-char"];

#[test]
fn results_name_their_style() {
    let place = place();
    let dir = place.path();
    let bench = |more: &[&str]| -> Results {
        let args = [&["bench", "model", "--task", "piqa", "--json"][..], more].concat();
        serde_json::from_str(&run(dir, &args).ok()).unwrap()
    };
    let chat = bench(&[]);
    assert_eq!((chat.style, scorers(&chat)), (Some(Style::Chat), vec!["loglik-mean", "loglik-sum"]));
    assert_eq!((chat.results[0].documents, chat.results[0].truncated), (9, 0));
    let plain = bench(&["--style", "plain"]);
    assert_eq!((plain.style, scorers(&plain)), (Some(Style::Plain), LIKELIHOODS.to_vec()));
    // A document that is too long is scored without its beginning.
    assert_eq!((plain.results[0].documents, plain.results[0].truncated), (10, 1));
    assert_ne!(plain.results[1].measurement, chat.results[1].measurement);
    let table = run(dir, &["bench", "model", "--task", "piqa", "--style", "plain", "--out", "out"]).ok();
    assert!(table.contains("style plain: worded and tokenised as in lm-evaluation-harness"), "{table}");
    assert!(
        table.contains("piqa/validation: 1 document longer than the context, cut at the beginning"),
        "{table}"
    );
    assert_eq!(run(dir, &["report", "out"]).ok(), table);
}

#[test]
fn a_model_without_a_chat_format_gets_plain_text() {
    let Some(tokenizer) = tokenizer_folder("gpt2") else { return };
    let place = place();
    let dir = place.path();
    for file in ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"] {
        let path = dir.join("model").join(file);
        match fs::read(tokenizer.path().join(file)) {
            Ok(bytes) => fs::write(path, bytes).unwrap(),
            Err(_) => fs::remove_file(path).unwrap(),
        }
    }
    let mut config: Value =
        serde_json::from_slice(&fs::read(dir.join("model/config.json")).unwrap()).unwrap();
    config["vocab_size"] = 50_257.into();
    write_model_with(&config, &dir.join("model"));
    let results: Results =
        serde_json::from_str(&run(dir, &["bench", "model", "--task", "piqa", "--json"]).ok()).unwrap();
    assert_eq!((results.style, scorers(&results)), (Some(Style::Plain), LIKELIHOODS.to_vec()));
    let error = joined(&run(dir, &["bench", "model", "--task", "piqa", "--style", "chat"]).failed(2));
    assert!(
        error.contains("`model` has no chat format") && error.contains("use the style `plain`"),
        "{error}"
    );
    let error = joined(&run(dir, &["rank", "model", "--prompt", "p", "--candidate", "a"]).failed(2));
    assert!(error.contains("has no chat format"), "{error}");
}

/// Other weights of another shape in a model directory.
fn write_model_with(config: &Value, dir: &Path) {
    let device = dph_core::device("flex").unwrap();
    dph_model::Backbone::init(&config.to_string(), 5, &device).unwrap().save(dir).unwrap();
}

#[test]
fn a_head_is_refused_in_the_other_style() {
    let place = place();
    let dir = place.path();
    let model = dir.join("model");
    let bench =
        |more: &[&str]| run(dir, &[&["bench", "model", "--task", "piqa", "--json"][..], more].concat());
    write_head(&model, Style::Chat);
    assert!(!fs::read_to_string(model.join(HEAD_CONFIG_FILE)).unwrap().contains("style"));
    let error = joined(&bench(&["--style", "plain"]).failed(2));
    assert!(
        error.contains("the preference head of `model` was trained on documents in the style `chat`, and the evaluation is in the"),
        "{error}"
    );
    let likelihood: Results =
        serde_json::from_str(&bench(&["--style", "plain", "--scorer", "log"]).ok()).unwrap();
    assert_eq!(scorers(&likelihood), LIKELIHOODS);

    write_head(&model, Style::Plain);
    let plain: Results = serde_json::from_str(&bench(&[]).ok()).unwrap();
    assert_eq!(plain.style, Some(Style::Plain), "the style of the head is the default");
    assert_eq!(scorers(&plain)[4], "reward:preference");
    let error = joined(&bench(&["--style", "chat"]).failed(2));
    assert!(error.contains("in the style `plain`, and the evaluation is in the style `chat`"), "{error}");
    let rank = |more: &[&str]| {
        run(dir, &[&["rank", "model", "--prompt", "p", "--candidate", "a"][..], more].concat())
    };
    let error = joined(&rank(&[]).failed(2));
    assert!(
        error.contains("was trained on documents in the style `plain`, and rank lays out conversations"),
        "{error}"
    );
    rank(&["--scorer", "log"]).ok();
}

#[test]
fn a_task_without_plain_wording_is_named() {
    let place = place();
    let args = ["bench", "model", "--task", "hellaswag_choice", "--style", "plain"];
    let error = joined(&run(place.path(), &args).failed(2));
    assert!(error.contains("`hellaswag_choice` has no wording in the style `plain`"), "{error}");
    let error =
        joined(&run(place.path(), &["bench", "model", "--task", "piqa", "--style", "plane"]).failed(2));
    assert!(error.contains("a style is `chat` or `plain`"), "{error}");
}
