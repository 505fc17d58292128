//! The exit status of requests that cannot be fulfilled as they stand is 2, that of work that fails is 1.
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;
mod support;

use std::fs;
use std::path::Path;

use command::run;
use dph_eval::{BackboneReference, export_head};
use support::{head, llama, write_model, write_model_with_head};

const RANK: [&str; 4] = ["--prompt", "Who?", "--candidate", "Ann."];

/// The message of `rank` on a model that cannot be used as it is given.
fn refused(dir: &Path, model: &str) -> String {
    run(dir, &[&["rank", model], &RANK[..]].concat()).failed(2)
}

#[test]
fn a_model_directory_that_is_not_whole_is_a_wrong_request() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    for name in ["no-tokenizer", "bad-tokenizer", "no-format", "bad-config", "bad-head"] {
        write_model_with_head(&dir.join(name), &llama(), &["preference"]);
    }
    let file = |name: &str, file: &str| dir.join(name).join(file);
    fs::remove_file(file("no-tokenizer", "tokenizer.json")).unwrap();
    assert!(refused(dir, "no-tokenizer").contains("tokenizer.json"));
    fs::write(file("bad-tokenizer", "tokenizer.json"), "{").unwrap();
    assert!(refused(dir, "bad-tokenizer").contains("bad-tokenizer/tokenizer.json is not a valid"));
    for name in ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"] {
        let text = fs::read_to_string(file("no-format", name)).unwrap();
        fs::write(file("no-format", name), text.replace("<|im_", "<|mi_")).unwrap();
    }
    let said = refused(dir, "no-format");
    assert!(said.contains("has no chat format"), "{said}");
    fs::write(file("bad-config", "config.json"), r#"{"model_type": "llama"}"#).unwrap();
    assert!(refused(dir, "bad-config").contains("bad-config/config.json: missing field"));
    fs::write(file("bad-head", "preference_head.json"), "{").unwrap();
    assert!(refused(dir, "bad-head").contains("bad-head/preference_head.json"));
}

#[test]
fn a_backbone_that_was_moved_or_changed_is_a_wrong_request() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    write_model(&dir.join("plain"), &llama());
    fs::create_dir(dir.join("export")).unwrap();
    let hash = dph_model::content_hash(dir.join("plain")).unwrap();
    let reference = BackboneReference::new(&dir.join("export"), &dir.join("plain"), hash).unwrap();
    let (weights, config) = head(dph_core::Layer::Last, &["preference"]);
    export_head(&dir.join("export"), &weights, &config, &reference).unwrap();
    run(dir, &[&["rank", "export"], &RANK[..]].concat()).ok();

    fs::write(dir.join("plain/config.json"), llama().replace("10000.0", "10001.0")).unwrap();
    assert!(refused(dir, "export").contains("has changed since this head was trained on it"));
    fs::rename(dir.join("plain"), dir.join("moved")).unwrap();
    assert!(refused(dir, "export").contains("the model that this head was trained on is not at"));
    fs::write(dir.join("export/backbone.json"), "{").unwrap();
    assert!(refused(dir, "export").contains("backbone.json: the file is damaged"));
}

#[test]
fn a_run_that_is_damaged_or_not_finished_is_a_wrong_request() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    fs::create_dir(dir.join("run")).unwrap();
    for (manifest, message) in [
        ("{", "manifest.json: the file is damaged"),
        (r#"{"stages": ["dph"]}"#, "no stage of this run has been exported yet"),
        (r#"{"variants": ["a", "b"]}"#, "this is a sweep"),
    ] {
        fs::write(dir.join("run/manifest.json"), manifest).unwrap();
        let said = refused(dir, "run");
        assert!(said.contains(message), "{manifest}: {said}");
    }
}

#[test]
fn damaged_weights_are_a_failure_of_the_work() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    write_model(&dir.join("model"), &llama());
    fs::write(dir.join("model/model.safetensors"), "x").unwrap();
    let said = run(dir, &[&["rank", "model"], &RANK[..]].concat()).failed(1);
    assert!(said.contains("model.safetensors (1 bytes) is truncated"), "{said}");
}
