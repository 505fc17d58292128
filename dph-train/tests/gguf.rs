//! Training with a GGUF file as the model.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use support::{fail, succeed, tiny, train_in};

#[test]
fn an_experiment_can_use_a_gguf_file() {
    let dir = tiny("tiny.gguf");
    let train = |out: &str, arguments: &[&str]| train_in(dir.path(), out, arguments);
    succeed(&mut train("run", &["--dry-run"]));
    succeed(&mut train("run", &[]));
    let results = fs::read_to_string(dir.path().join("run/results.json")).unwrap();
    assert!(results.contains("reward:preference"), "{results}");
    let reference = fs::read_to_string(dir.path().join("run/dph/backbone.json")).unwrap();
    assert!(reference.contains("tiny.gguf"), "{reference}");

    // With all weights trained, the export is a directory with the tokenizer of the file.
    succeed(&mut train("all", &["--set", "model.trainable=all", "--set", "stage.dph.steps=2"]));
    for file in ["model.safetensors", "tokenizer.json", "config.json"] {
        assert!(dir.path().join("all/dph").join(file).is_file(), "{file}");
    }

    let said = fail(&mut train("other", &["--set", "model.path=other.gguf"]), 2);
    assert!(said.contains("model.path: there is no model other.gguf"), "{said}");
}

#[test]
fn half_precision_is_allowed_only_for_frozen_weights() {
    let dir = tiny("tiny.gguf");
    let train = |out: &str, arguments: &[&str]| {
        train_in(dir.path(), out, &[&["--set", "model.precision=bf16"], arguments].concat())
    };
    let forecast = succeed(&mut train("half", &["--dry-run"]));
    assert!(String::from_utf8_lossy(&forecast.stdout).contains(" in bf16"), "{forecast:?}");
    succeed(&mut train("half", &[]));
    succeed(&mut train_in(dir.path(), "whole", &[]));
    let read = |file: &str| fs::read(dir.path().join(file)).unwrap();
    assert!(String::from_utf8(read("half/dph/backbone.json")).unwrap().contains(r#""precision": "bf16""#));
    assert_ne!(read("half/dph/preference_head.safetensors"), read("whole/dph/preference_head.safetensors"));
    succeed(&mut train("lora", &["--set", "model.trainable=lora", "--set", "stage.dph.steps=2"]));

    let said = fail(&mut train("all", &["--set", "model.trainable=all"]), 2);
    assert!(said.contains("most of their updates would be lost in bf16"), "{said}");
}
