//! The exit status of requests that cannot be fulfilled as they stand is 2.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{fail, small, succeed};

/// An evaluation of the model in a directory.
fn evaluation(dir: &Path, model: &Path) -> Command {
    let file = dir.join("experiment.toml");
    let text =
        format!("name = \"x\"\n[model]\npath = {model:?}\n[eval]\ntasks = [\"world\"]\nstyle = \"chat\"\n");
    fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
    command.arg(&file).arg("--out").arg(dir.join("run"));
    command
}

#[test]
fn a_model_directory_that_is_not_whole_is_a_wrong_request() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    succeed(&mut small(&made, &[]));
    let model = made.join("sft");
    let refused = |message: &str| {
        for dry_run in [&[][..], &["--dry-run"]] {
            let said = fail(evaluation(dir.path(), &model).args(dry_run), 2);
            assert!(said.contains(message), "{dry_run:?}: {message:?} is not in {said}");
        }
        assert!(!dir.path().join("run").exists(), "{message}");
    };
    let read = |name: &str| fs::read_to_string(model.join(name)).unwrap();
    let write = |name: &str, text: &str| fs::write(model.join(name), text).unwrap();
    let files = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"];
    let whole = files.map(read);
    for (name, text) in files.iter().zip(&whole) {
        write(name, &text.replace("<|im_", "<|mi_"));
    }
    refused("has no chat format");
    files.iter().zip(&whole).for_each(|(name, text)| write(name, text));
    write("tokenizer.json", "{");
    refused("tokenizer.json is not a valid");
    write("tokenizer.json", &whole[0]);
    let config = read("config.json");
    write("config.json", &config.replace("\"lsw_transformer\"", "\"lws\"").replace("\"lswt\"", "\"lws\""));
    refused("model_type `lws` is not supported");
    fs::remove_file(model.join("config.json")).unwrap();
    refused("config.json does not exist; every model directory has one");
}

#[test]
fn a_damaged_tokenizer_of_a_new_model_is_a_wrong_request() {
    let dir = tempfile::tempdir().unwrap();
    let tokenizer = dir.path().join("tokenizer");
    fs::create_dir(&tokenizer).unwrap();
    fs::write(tokenizer.join("vocab.json"), "{").unwrap();
    fs::write(tokenizer.join("merges.txt"), "").unwrap();
    let change = format!("model.tokenizer={tokenizer:?}");
    let said = fail(&mut small(&dir.path().join("run"), &["--set", &change]), 2);
    assert!(said.contains("tokenizer"), "{said}");
}

#[test]
fn a_run_directory_that_cannot_be_created_is_a_wrong_request() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "mine").unwrap();
    for out in [file.clone(), file.join("below")] {
        let said = fail(&mut small(&out, &[]), 2);
        let message = format!("{}: the run directory cannot be created", out.display());
        assert!(said.contains(&message) && said.contains("--out"), "{said}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn damaged_files_of_a_run_are_a_wrong_request() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    succeed(&mut small(&run, &[]));
    for file in ["provenance.json", "manifest.json"] {
        let whole = fs::read(run.join(file)).unwrap();
        fs::write(run.join(file), "{").unwrap();
        let said = fail(&mut small(&run, &["--resume"]), 2);
        assert!(said.contains(&format!("{file}: the file is damaged")), "{said}");
        fs::write(run.join(file), whole).unwrap();
    }
    succeed(&mut small(&run, &["--resume"]));
}
