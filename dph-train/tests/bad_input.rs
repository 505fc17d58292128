//! Values that no run can use are rejected before the run, with the key and a remedy. `--dry-run` rejects them too.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::process::Command;

use support::{fail, said, small, succeed};

/// Runs the small quickstart with these changes, with and without `--dry-run`, and expects a message and exit status 2.
fn rejected(changes: &[&str], message: &str) {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let changes: Vec<&str> = changes.iter().flat_map(|change| ["--set", change]).collect();
    for dry_run in [&[][..], &["--dry-run"]] {
        let said = fail(small(&run, &changes).args(dry_run), 2);
        assert!(said.contains(message), "{changes:?} {dry_run:?}: {message:?} is not in {said}");
    }
    assert!(!run.exists(), "{changes:?} created a run directory");
}

#[test]
fn sizes_of_a_new_model_must_be_positive() {
    for (key, name) in [
        ("n_layers", "number of layers"),
        ("n_heads", "number of heads"),
        ("d_model", "hidden size"),
        ("d_ffn", "feed-forward size"),
        ("d_vocab", "embedding size"),
        ("rope_positions", "context"),
    ] {
        rejected(
            &[&format!("model.new.{key}=0")],
            &format!("model.new: the {name} is 0; it must be at least 1"),
        );
    }
}

#[test]
fn adapters_fit_their_matrices() {
    let rank = ["stage.sft.trainable=lora", "model.lora.rank=33"];
    rejected(&rank, "adapters of rank 33 do not fit `model.blocks.0.att.proj_q.weight`, a matrix of 96 × 32");
    rejected(&rank, "`rank` must be at most 32");
}

#[test]
fn numbers_and_texts_without_a_meaning_are_rejected() {
    for (change, message) in [
        ("eval.limit=0", "`limit` must be at least 1; leave it out to use all rows"),
        ("stage.dph.limit=0", "`limit` must be at least 1; leave it out to use all rows"),
        ("stage.sft.freeze=['norm', '']", "entry 2 of `freeze` is empty; remove it"),
        ("stage.sft.add_tokens=['']", "entry 1 of `add_tokens` is empty; remove it"),
        ("stage.sft.optimiser.no_decay=['']", "entry 1 of `no_decay` is empty; remove it"),
        ("model.lora.targets=['']", "entry 1 of `targets` is empty; remove it"),
        ("seed=18446744073709551615", "is too large: integers in TOML are at most 9223372036854775807"),
    ] {
        rejected(&[change], message);
    }
}

#[test]
fn a_misspelt_validation_split_is_not_taken_for_a_missing_one() {
    let split = "stage.dph.validation.split=validaton";
    rejected(
        &[split],
        "stage `dph`: no task of `mix` has the split `validaton` of `validation.split`; did you mean `validation`?",
    );
}

#[test]
fn a_key_in_quotes_is_one_part() {
    rejected(&["\"stage\".dph.'steps'=0"], "`steps` must be at least 1");
    rejected(&["stage.dph.mix.\"no/such.task.toml\"=1.0"], "cannot read the task file no/such.task.toml");
    rejected(&["stage.\"dph=1"], "expected key=value");
    rejected(&["stage.\"dph\"x.steps=1"], "is not a key");
}

#[test]
fn a_batch_with_more_sets_than_there_are_is_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let message = "stage `dph` has a `batch` of 300, but only 258 training sets";
    for dry_run in [&["--dry-run"][..], &[]] {
        let output = said(&succeed(small(&run, &["--set", "stage.dph.batch=300"]).args(dry_run)));
        assert!(output.contains(message), "{output}");
    }
}

#[test]
fn a_dry_run_names_the_weights_that_it_did_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    succeed(&mut small(&made, &[]));
    let model = made.join("sft");
    let weights = model.join("model.safetensors");
    // The last weight is no number.
    let mut bytes = std::fs::read(&weights).unwrap();
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&weights, bytes).unwrap();
    let file = dir.path().join("experiment.toml");
    std::fs::write(&file, format!("name = \"x\"\n[model]\npath = {model:?}\n[eval]\ntasks = [\"world\"]\n"))
        .unwrap();
    let train = |arguments: &[&str], out: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
        command.arg(&file).arg("--out").arg(out).args(arguments);
        command
    };
    let output = said(&succeed(&mut train(&["--dry-run"], &dir.path().join("run"))));
    let message = format!(
        "not checked the values of the weights of {}: a dry run reads only their names, types and shapes",
        model.display()
    );
    assert!(output.contains(&message), "{output}");
    fail(&mut train(&[], &dir.path().join("run")), 1);

    // Shapes are held against the configuration before anything heavy, and a file must be whole.
    let config = model.join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    let mut changed: serde_json::Value = serde_json::from_str(&text).unwrap();
    changed["vocab_size"] = (changed["vocab_size"].as_u64().unwrap() + 64).into();
    std::fs::write(&config, changed.to_string()).unwrap();
    let output = fail(&mut train(&["--dry-run"], &dir.path().join("run")), 1);
    assert!(output.contains("do not match its config.json"), "{output}");
    std::fs::write(&config, text).unwrap();
    std::fs::write(&weights, "damaged").unwrap();
    let output = fail(&mut train(&["--dry-run"], &dir.path().join("run")), 1);
    assert!(output.contains("model.safetensors (7 bytes) is truncated"), "{output}");
}
