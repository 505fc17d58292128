//! A head on a model that is a GGUF file.
#![allow(clippy::unwrap_used)]

#[path = "../../dph-model/tests/support/gguf.rs"]
mod gguf;
mod support;

use std::fs;
use std::process::Command;

use gguf::{llama, some_values};
use support::{fail, succeed};

const EXPERIMENT: &str = r#"
name = "gguf"
model = { path = "tiny.gguf" }

[[stage]]
name      = "dph"
objective = { dph = { form = "separable" } }
steps     = 4
batch     = 8
mix       = { world = 1.0 }
optimiser = { lr = 3e-3 }
negatives = "all"

[eval]
tasks = ["world"]
limit = 8
"#;

#[test]
fn an_experiment_takes_a_file_for_a_model() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("tiny.gguf"), llama(some_values).bytes()).unwrap();
    fs::write(dir.path().join("experiment.toml"), EXPERIMENT).unwrap();
    let train = |out: &str, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
        command.current_dir(dir.path()).args(["experiment.toml", "--out", out]).args(arguments);
        command
    };
    succeed(&mut train("run", &["--dry-run"]));
    succeed(&mut train("run", &[]));
    let results = fs::read_to_string(dir.path().join("run/results.json")).unwrap();
    assert!(results.contains("reward:preference"), "{results}");
    let reference = fs::read_to_string(dir.path().join("run/dph/backbone.json")).unwrap();
    assert!(reference.contains("tiny.gguf"), "{reference}");

    // All weights learn: the export is a directory with the tokenizer of the file.
    succeed(&mut train("all", &["--set", "model.trainable=all", "--set", "stage.dph.steps=2"]));
    for file in ["model.safetensors", "tokenizer.json", "config.json"] {
        assert!(dir.path().join("all/dph").join(file).is_file(), "{file}");
    }

    let said = fail(&mut train("other", &["--set", "model.path=other.gguf"]), 2);
    assert!(said.contains("model.path: there is no model other.gguf"), "{said}");
}
