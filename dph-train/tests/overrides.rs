//! Problems of overrides are reported as such, and problems of the file with the lines of the file; task files are found.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{fail, quickstart, said, succeed};

fn train(file: &Path, overrides: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
    command.arg(file).arg("--dry-run").env_remove("DPH_DATA");
    for change in overrides {
        command.args(["--set", change]);
    }
    command
}

/// Overrides that insert lines before those of the stages.
const LONGER: [&str; 4] =
    ["model.precision=f32", "model.lora.rank=2", "model.lora.alpha=4.0", "head.rewards=[\"preference\"]"];

#[test]
fn a_problem_of_the_file_has_its_line_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.toml");
    let whole = fs::read_to_string(quickstart()).unwrap();
    for (from, to, message) in [
        ("warmup = 30", "warm_up = 30", "unknown field `warm_up`"),
        ("label_smoothing = 0.1", "label_smoothing = 0.9", "`label_smoothing` must be between 0 and 0.5"),
        ("tasks = [\"world\"]", "tasks = [\"word\"]", "there is no task `word`"),
    ] {
        assert!(whole.contains(from), "the quickstart does not contain {from:?}");
        let text = whole.replacen(from, to, 1);
        fs::write(&file, &text).unwrap();
        let line = 1 + text.lines().position(|line| line.contains(to)).unwrap();
        for (overrides, name) in [(&[][..], "x.toml"), (&LONGER, "x.toml with --set")] {
            let said = fail(&mut train(&file, overrides), 2);
            let place = format!("{name}:{line}:");
            assert!(
                said.contains(message) && said.contains(&place),
                "{message:?} at {place} is not in {said}"
            );
        }
    }
}

#[test]
fn a_problem_of_an_override_names_the_override() {
    for (change, message) in [
        ("head.poling=bert", "unknown field `poling`"),
        ("head.poling=bert", "did you mean `pooling`?"),
        ("stage.dph.steps=many", "invalid type: string \"many\", expected usize"),
        ("stage.dph.objective.dph.label_smoothing=0.9", "`label_smoothing` must be between 0 and 0.5"),
        ("stage.dph.mix={ word = 1.0 }", "there is no task `word`"),
        ("model.new.n_layer=3", "unknown field `n_layer` in `[model.new]`"),
        ("sweep.head.poling=[\"bert\"]", "unknown field `poling`"),
        ("sweep.head.dropout=[2.0]", "dropout=2.0: `dropout` must be at least 0 and less than 1"),
    ] {
        let overrides = [&LONGER[..], &[change]].concat();
        let said = fail(&mut train(&quickstart(), &overrides), 2);
        assert!(said.contains(&format!("--set {change}: ")), "{said}");
        assert!(said.contains(message), "{change}: {message:?} is not in {said}");
    }
}

#[test]
fn a_task_file_is_found_from_the_folder_of_the_experiment_and_from_the_working_directory() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("experiments/mine");
    fs::create_dir_all(&folder).unwrap();
    let row = |n: usize| {
        format!("{{\"prompt\": \"Who is {n}?\", \"chosen\": \"Ann.\", \"rejected\": \"Bob {n}.\"}}\n")
    };
    fs::write(dir.path().join("experiments/rows.jsonl"), (0..30).map(row).collect::<String>()).unwrap();
    let task = "name = 'pairs'\nkind = 'preference'\n[files]\ntrain = 'rows.jsonl'\ntest = 'rows.jsonl'\n";
    fs::write(dir.path().join("experiments/pairs.toml"), task).unwrap();
    let suite = "[[task]]\ntask = 'pairs.toml'\nsplit = 'test'\n";
    fs::write(dir.path().join("experiments/suite.toml"), suite).unwrap();
    let text = fs::read_to_string(quickstart()).unwrap();
    for path in ["..", "experiments"] {
        let text = text.replace(
            "mix       = { world = 1.0 }",
            &format!("mix       = {{ \"{path}/pairs.toml\" = 1.0 }}"),
        );
        let text = text.replace(
            "tasks = [\"world\"]",
            &format!("tasks = [\"{path}/pairs.toml\"]\nsuites = [\"{path}/suite.toml\"]"),
        );
        fs::write(folder.join("x.toml"), text).unwrap();
        let output = succeed(train(Path::new("experiments/mine/x.toml"), &[]).current_dir(dir.path()));
        let said = said(&output);
        assert!(
            said.contains("stage dph   trains 32 parameters; 30 sets") || said.contains("30 sets"),
            "{said}"
        );
        assert!(said.contains("evaluation  30 questions"), "{said}");
        assert!(!said.contains("not checked"), "{said}");
    }
}

#[test]
fn counts_agree_with_their_nouns() {
    let one = ["eval.limit=1", "stage.dph.limit=1", "stage.dph.steps=1", "stage.dph.batch=1"];
    let output = said(&succeed(&mut train(&quickstart(), &one)));
    assert!(output.contains("evaluation  1 question, "), "{output}");
    assert!(output.contains("parameters; 1 set, 1.0 epochs"), "{output}");
}

#[test]
fn a_batch_that_no_mix_can_fill_is_named() {
    let said = fail(&mut train(&quickstart(), &["stage.dph.batch=1000000000"]), 2);
    let message = "stage `dph`: a `batch` of 1000000000 would use each of its 258 training sets at least 1000 times in a step";
    assert!(said.contains(message) && said.contains("set `batch` to at most 258"), "{said}");
}
