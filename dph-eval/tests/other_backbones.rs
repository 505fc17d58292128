//! A head on another copy of its backbone.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

mod support;

#[path = "support/command.rs"]
mod command;

use std::fs;
use std::path::Path;

use command::run;
use dph_core::Layer;
use dph_eval::{BackboneReference, export_head};
use dph_model::ModelFiles;
use dph_model::checkpoint::{ConvertOptions, convert_files};
use serde_json::{Value, json};
use support::{head, llama, lswt, write_model, write_rows};

/// An export whose backbone is in `model`, an equal copy of it in `same`, and one in half precision in `half`.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    write_model(&dir.join("model"), &llama());
    let files = ModelFiles::open(dir.join("model")).unwrap();
    let half = ConvertOptions { precision: Some("bf16".parse().unwrap()), ..ConvertOptions::default() };
    convert_files(&files, &dir.join("half"), &half).unwrap();
    fs::create_dir(dir.join("same")).unwrap();
    for file in fs::read_dir(dir.join("model")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), dir.join("same").join(file.file_name())).unwrap();
    }
    let export = dir.join("export");
    fs::create_dir(&export).unwrap();
    let hash = dph_model::content_hash(dir.join("model")).unwrap();
    let reference = BackboneReference::new(&export, &dir.join("model"), hash).unwrap();
    let (head, config) = head(Layer::At(2), &["preference", "helpfulness"]);
    export_head(&export, &head, &config, &reference).unwrap();
    let line = |index: usize| json!({"prompt": format!("Question {index}?"), "candidates": ["yes", "no, never", "perhaps"]});
    write_rows(&dir.join("sets.jsonl"), (0..6).map(line));
    place
}

/// A configuration with another number.
fn changed(json: &str, key: &str, value: usize) -> String {
    let mut json: Value = serde_json::from_str(json).unwrap();
    json[key] = value.into();
    json.to_string()
}

fn rank(dir: &Path, more: &[&str]) -> command::Run {
    run(dir, &[&["rank", "export", "--input", "sets.jsonl", "--json"], more].concat())
}

#[test]
fn a_head_is_used_on_another_copy_with_a_warning() {
    let place = place();
    let dir = place.path();
    let own = rank(dir, &[]);
    assert!(!own.stderr.contains("warning"), "{own:?}");
    // An equal copy has the same content.
    let same = rank(dir, &["--backbone", "same"]);
    assert!(same.stdout == own.stdout && !same.stderr.contains("warning"), "{same:?}");
    let half = rank(dir, &["--backbone", "half"]);
    assert_eq!(half.status, 0, "{half:?}");
    assert!(
        half.stderr.contains(
            "warning: the head of export was trained on another copy of its language model than half"
        )
    );
    assert_ne!(half.stdout, own.stdout);

    // The copy is enough if the backbone has changed or is gone.
    fs::rename(dir.join("model"), dir.join("elsewhere")).unwrap();
    let said = rank(dir, &[]).failed(2);
    assert!(said.contains("name a copy of it with --backbone"), "{said}");
    assert_eq!(rank(dir, &["--backbone", "half"]).ok(), half.stdout);

    // Another model is none.
    for (name, json, problem) in [
        ("family", lswt(), ", not llama"),
        ("layers", changed(&llama(), "num_hidden_layers", 4), "layers 4, not 3"),
        ("tokens", changed(&llama(), "vocab_size", 1030), "tokens in the vocabulary 1030, not 1024"),
        ("heads", changed(&llama(), "intermediate_size", 40), "feed-forward size 40, not "),
    ] {
        write_model(&dir.join(name), &json);
        let said = rank(dir, &["--backbone", name]).failed(2);
        assert!(
            said.contains(&format!(
                "export: {name} is not a copy of the model that this head was trained on"
            )),
            "{said}"
        );
        assert!(said.contains(problem), "{said}");
    }
    fs::rename(dir.join("elsewhere"), dir.join("model")).unwrap();
    let said = run(dir, &["rank", "half", "--input", "sets.jsonl", "--backbone", "same"]).failed(2);
    assert!(said.contains("there is no preference head here"), "{said}");
}

/// Equal sizes do not make a copy.
#[test]
fn a_copy_has_the_tokens_of_the_model() {
    let place = place();
    let dir = place.path();
    let file = dir.join("half/tokenizer.json");
    let mut json: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let words = json["model"]["vocab"].as_object_mut().unwrap();
    let of = |id: u64| words.iter().find(|(_, found)| **found == id).unwrap().0.clone();
    let (one, other) = (of(300), of(301));
    words[&one] = 301.into();
    words[&other] = 300.into();
    fs::write(&file, json.to_string()).unwrap();
    let said = rank(dir, &["--backbone", "half"]).failed(2);
    assert!(said.contains("half is not a copy of the model that this head was trained on"), "{said}");
    assert!(said.contains(&format!("token 300 and 1 more is {other:?}, not {one:?}")), "{said}");
    // Without the model of the training nothing can be compared.
    fs::rename(dir.join("model"), dir.join("elsewhere")).unwrap();
    assert_eq!(rank(dir, &["--backbone", "half"]).status, 0);
    fs::rename(dir.join("elsewhere"), dir.join("model")).unwrap();

    // A copy may write conversations otherwise.
    let own = rank(dir, &[]).ok();
    let template = "{% for m in messages %}<|im_start|>{{ m.role }}: {{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant: {% endif %}";
    fs::write(dir.join("same/chat_template.jinja"), template).unwrap();
    let found = rank(dir, &["--backbone", "same"]);
    assert!(found.stderr.contains("warning: same writes conversations otherwise than"), "{found:?}");
    assert_ne!(found.ok(), own);
}

#[test]
fn the_agreement_of_two_copies_is_measured_on_a_file() {
    let place = place();
    let dir = place.path();
    let agree = |more: &[&str]| run(dir, &[&["agree", "export", "--input", "sets.jsonl"], more].concat());
    let read = |more: &[&str]| -> Vec<Value> {
        serde_json::from_str(&agree(&[&["--json"], more].concat()).ok()).unwrap()
    };
    for found in read(&["--backbone", "same"]) {
        assert_eq!(
            (&found["candidates"], &found["choices"], &found["same_best"]),
            (&json!(18), &json!(6), &json!(6))
        );
        assert_eq!(found["largest_difference"], json!(0.0));
    }
    let half = read(&["--backbone", "half"]);
    assert_eq!(half.len(), 2);
    for found in half {
        let largest = found["largest_difference"].as_f64().unwrap();
        assert!(largest > 0.0 && largest >= found["mean_difference"].as_f64().unwrap(), "{found}");
        assert!(found["correlation"].as_f64().unwrap() > 0.9, "{found}");
    }
    let told = agree(&["--backbone", "half"]);
    // The command does not advise itself.
    assert!(
        told.stderr.contains("another copy") && !told.stderr.contains("dph-eval agree"),
        "{}",
        told.stderr
    );
    let table = told.ok();
    assert!(table.contains("helpfulness") && table.contains("of 6"), "{table}");

    let said = agree(&[]).failed(2);
    assert!(said.contains("name the other copy of the backbone with --backbone"), "{said}");
    fs::write(dir.join("sets.jsonl"), "{}\n").unwrap();
    let said = agree(&["--backbone", "half"]).failed(2);
    assert!(said.contains("sets.jsonl:1: the field `prompt` is missing"), "{said}");
}

/// A forecast follows the rules of the real run.
#[test]
fn a_forecast_opens_the_same_backbone() {
    let place = place();
    let dir = place.path();
    let task = "name = 't'\nkind = 'choice'\nuser = '{{ q }}'\ncandidates = 'c'\ngold = 'g'\nfiles = { test = 'rows.jsonl' }\n";
    fs::write(dir.join("task.toml"), task).unwrap();
    write_rows(&dir.join("rows.jsonl"), std::iter::once(json!({"q": "Who?", "c": ["Ann", "Bob"], "g": 0})));
    let bench =
        |more: &[&str]| run(dir, &[&["bench", "export", "--task", "task.toml", "--dry-run"], more].concat());
    bench(&[]).ok();
    bench(&["--backbone", "half"]).ok();
    write_model(&dir.join("other"), &lswt());
    let said = bench(&["--backbone", "other"]).failed(2);
    assert!(said.contains("other is not a copy of the model that this head was trained on"), "{said}");
    let said = bench(&["--backbone", "nowhere"]).failed(2);
    assert!(said.contains("nowhere: there is no such directory"), "{said}");
    // The weights are not those of the configuration.
    let path = dir.join("half/config.json");
    fs::write(&path, changed(&fs::read_to_string(&path).unwrap(), "intermediate_size", 40)).unwrap();
    let said = run(dir, &["bench", "half", "--task", "task.toml", "--dry-run"]).failed(1);
    assert!(said.contains("do not match its config.json"), "{said}");
    // A head alone.
    fs::remove_file(dir.join("export/backbone.json")).unwrap();
    let said = rank(dir, &[]).failed(2);
    assert!(said.contains("name its language model with --backbone"), "{said}");
    rank(dir, &["--backbone", "same"]).ok();
}
