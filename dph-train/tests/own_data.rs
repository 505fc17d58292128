//! The experiment in the README: a head trained on a preference file.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use support::{small, succeed};

/// The experiment in the README.
fn experiment() -> String {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let block = readme.split("```toml\n").nth(1).and_then(|text| text.split("```").next()).unwrap();
    block.lines().map(|line| format!("{}\n", line.trim())).collect()
}

#[test]
fn the_experiment_of_the_readme_trains_a_head_on_a_preference_file() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    succeed(&mut small(&dir.join("made"), &[]));
    let row = |index: usize| json!({"prompt": format!("Question {index}?"), "chosen": "Yes, gladly.", "rejected": "No."});
    fs::create_dir_all(dir.join("data/preference")).unwrap();
    let rows: String = (0..40).map(|index| format!("{}\n", row(index))).collect();
    fs::write(dir.join("data/preference/train.jsonl"), rows).unwrap();
    fs::write(dir.join("mine.toml"), experiment()).unwrap();

    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
        command.current_dir(dir).args(["mine.toml", "--set", "model.path=made/sft"]);
        // The model in the README has 30 layers, this one has 1.
        command.args(["--set", "head.aggregation.layers=1", "--set", "stage.dph.steps=20"]);
        command
    };
    succeed(run().arg("--dry-run"));
    assert!(!dir.join("runs").exists());
    succeed(&mut run());
    let device = dph_core::device("flex").unwrap();
    let model = dph_eval::Model::open(&dir.join("runs/mine"), &device).unwrap();
    assert_eq!(model.heads(), ["preference"]);
}
