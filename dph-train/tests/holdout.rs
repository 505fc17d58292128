//! `holdout`: a validation split for a preference file without one.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use support::{fail, said, succeed};

const PROMPTS: usize = 20;

/// Writes a file with 40 pairs, two for each prompt, a task and an experiment that trains a head on it.
fn experiment(dir: &Path, stage: &str) -> PathBuf {
    let row = |index: usize| {
        let prompt = format!("Where does Ada live, take {}?", index % PROMPTS);
        json!({ "prompt": prompt, "chosen": format!("Ada lives in {index}."), "rejected": "Ada lives." })
    };
    let rows: String = (0..2 * PROMPTS).map(|index| format!("{}\n", row(index))).collect();
    fs::write(dir.join("pairs.jsonl"), rows).unwrap();
    let task = dir.join("pairs.toml");
    fs::write(&task, "name = 'pairs'\nkind = 'preference'\n[files]\ntrain = 'pairs.jsonl'\n").unwrap();
    let text = format!(
        r#"
name = "holdout"
[model]
tokenizer = "world"
[model.new]
model_type = "lswt"
d_vocab = 16
d_model = 32
d_ffn = 64
n_layers = 1
n_heads = 2
rope_positions = 256
[[stage]]
name = "dph"
objective = {{ dph = {{}} }}
steps = 8
batch = 4
mix = {{ {task:?} = 1.0 }}
validation = {{ every = 4 }}
{stage}
"#
    );
    let file = dir.join("experiment.toml");
    fs::write(&file, text).unwrap();
    file
}

fn train(file: &Path, run: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
    command.arg(file).arg("--out").arg(run).args(arguments);
    command
}

#[test]
fn held_out_rows_are_used_for_validation_and_their_accuracy_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), "holdout = 0.25");
    let run = dir.path().join("run");

    let forecast = said(&succeed(&mut train(&file, &run, &["--dry-run"])));
    assert!(forecast.contains("30 sets (25% of the prompts held out)"), "{forecast}");
    assert!(forecast.contains("evaluation  10 questions"), "{forecast}");

    let output = said(&succeed(&mut train(&file, &run, &[])));
    assert!(output.contains("train: 30 sets") && output.contains("held-out: 10 sets"), "{output}");
    let resolved = fs::read_to_string(run.join("resolved.toml")).unwrap();
    assert!(resolved.contains("holdout = 0.25"), "{resolved}");
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    assert_eq!(metrics.lines().filter(|line| line.contains("\"split\":\"valid\"")).count(), 2, "{metrics}");

    let results: Value = serde_json::from_slice(&fs::read(run.join("results.json")).unwrap()).unwrap();
    let reward = results["results"].as_array().unwrap().iter();
    let reward = reward.filter(|result| result["scorer"] == "reward:preference").collect::<Vec<_>>();
    assert_eq!(reward.len(), 1, "{results}");
    assert_eq!(
        (&reward[0]["task"], &reward[0]["split"], &reward[0]["metric"], &reward[0]["documents"]),
        (&json!("pairs"), &json!("held-out"), &json!("accuracy"), &json!(10))
    );
    assert!(reward[0]["stderr"].is_number());
    let share = format!(
        "{:.1} % of 10 held-out documents, 95 % interval ",
        100.0 * reward[0]["value"].as_f64().unwrap()
    );
    let sentence = format!("pairs/held-out: reward:preference is right on {share}");
    let report = fs::read_to_string(run.join("report.md")).unwrap();
    assert!(output.contains(&sentence) && report.contains(&sentence), "{sentence}\n{output}\n{report}");

    // Both rows of a prompt are held out. Rows 1 and 21, for example, have the same prompt.
    let documents = fs::read_to_string(run.join("documents.jsonl")).unwrap();
    let rows: BTreeSet<usize> = documents
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(rows.len(), 10);
    assert!(rows.iter().all(|row| rows.contains(&((row + PROMPTS - 1) % (2 * PROMPTS) + 1))), "{rows:?}");

    // The choice of rows depends only on the seed.
    let ids = |arguments: &[&str]| {
        let run = dir.path().join("again");
        succeed(&mut train(&file, &run, arguments));
        fs::read_to_string(run.join("documents.jsonl")).unwrap()
    };
    assert_eq!(ids(&[]), documents);
    let others = ids(&["--set", "seed=7"]);
    let names = |documents: &str| -> Vec<String> {
        let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].to_string();
        documents.lines().map(id).collect()
    };
    assert_ne!(names(&others), names(&documents));
}

#[test]
fn the_interval_of_several_seeds_counts_the_documents_of_all() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), "holdout = 0.25");
    let run = dir.path().join("run");
    let output = said(&succeed(&mut train(&file, &run, &["--set", "sweep.seed=[1, 2]"])));
    let table = output.lines().find(|line| line.contains("pairs/held-out: reward:preference is right on"));
    assert!(
        table.is_some_and(|line| line.contains("% of 20 held-out documents of 2 seeds, 95 %")),
        "{output}"
    );
}

#[test]
fn an_invalid_share_is_rejected_before_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    for share in ["0.0", "1.0", "-0.1", "nan"] {
        let file = experiment(dir.path(), &format!("holdout = {share}"));
        let said = fail(&mut train(&file, &run, &["--dry-run"]), 2);
        assert!(said.contains("must be greater than 0 and less than 1"), "{said}");
    }
    let file = experiment(dir.path(), "holdout = 0.1");
    let text = fs::read_to_string(&file).unwrap();
    let stages = text.find("[[stage]]").unwrap();
    let other =
        text[stages..].replace("\"dph\"", "\"first\"").replace("holdout = 0.1", "trainable = \"all\"");
    fs::write(&file, format!("{}{other}\n{}", &text[..stages], &text[stages..])).unwrap();
    let said = fail(&mut train(&file, &run, &["--dry-run"]), 2);
    assert!(said.contains("the stages `first` and `dph` both train on"), "{said}");
    assert!(said.contains("give both stages the same `holdout`"), "{said}");

    let file = experiment(dir.path(), "holdout = 0.1");
    let rows = fs::read_to_string(dir.path().join("pairs.jsonl")).unwrap();
    fs::write(dir.path().join("pairs.jsonl"), rows.lines().next().unwrap()).unwrap();
    let said = fail(&mut train(&file, &run, &["--dry-run"]), 2);
    assert!(said.contains("all of its rows have the same prompt"), "{said}");
    assert!(!run.exists());
}
