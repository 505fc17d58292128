//! `dph-eval bench --submission`: the files of the GLUE server, read by its rules.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;
mod support;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use command::{joined, run};
use dph_eval::{DocumentScores, Results};
use serde_json::{Value, json};
use support::{lswt, write_model_with_head, write_rows};
use zip::ZipArchive;

const NLI: &[&str] = &["entailment", "neutral", "contradiction"];
const ENTAILMENT: &[&str] = &["entailment", "not_entailment"];
const BINARY: &[&str] = &["0", "1"];

/// File, data set, the file of its test split, fields of a row, the answers that the server knows (none for numbers from 0 to 5).
type ServerFile =
    (&'static str, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const FILES: [ServerFile; 11] = [
    ("CoLA", "cola", "test", &["sentence"], BINARY),
    ("SST-2", "sst2", "test", &["sentence"], BINARY),
    ("MRPC", "mrpc", "test", &["sentence1", "sentence2"], BINARY),
    ("STS-B", "stsb", "test", &["sentence1", "sentence2"], &[]),
    ("QQP", "qqp", "test", &["question1", "question2"], BINARY),
    ("MNLI-m", "mnli", "test_matched", &["premise", "hypothesis"], NLI),
    ("MNLI-mm", "mnli", "test_mismatched", &["premise", "hypothesis"], NLI),
    ("QNLI", "qnli", "test", &["question", "sentence"], ENTAILMENT),
    ("RTE", "rte", "test", &["sentence1", "sentence2"], ENTAILMENT),
    ("WNLI", "wnli", "test", &["sentence1", "sentence2"], BINARY),
    ("AX", "ax", "test", &["premise", "hypothesis"], NLI),
];

/// The number of the test rows that are made up for a file; WNLI has as many as the published set.
fn rows(file: &str) -> usize {
    if file == "WNLI" { 146 } else { 12 + file.len() }
}

/// A model with a head, and test rows of all tasks except some.
fn place(without: &[&str]) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let config = lswt().replace("\"rope_positions\": 256", "\"rope_positions\": 1024");
    write_model_with_head(&place.path().join("model"), &config, &["preference", "truth"]);
    for (file, folder, split, fields, _) in FILES.iter().filter(|file| !without.contains(&file.0)) {
        let row = |index: usize| {
            let texts = fields.iter().map(|field| {
                (
                    field.to_string(),
                    json!(format!("{} {field} is {}", index * 7 % 13, "so ".repeat(index % 5))),
                )
            });
            // The test rows of the hub are labelled −1.
            Value::Object(texts.chain([("label".into(), json!(-1)), ("idx".into(), json!(index))]).collect())
        };
        write_rows(&place.path().join(format!("data/{folder}/{split}.jsonl")), (0..rows(file)).map(row));
    }
    place
}

/// The answers of every file of an archive, by the rules of the server: no folders and no other files, tabs, the heading, every row
/// once and in order, known answers only.
fn read_archive(path: &Path) -> BTreeMap<String, Vec<String>> {
    let mut archive = ZipArchive::new(File::open(path).unwrap()).unwrap();
    let mut found = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let name = entry.name().unwrap().strip_suffix(".tsv").unwrap().to_owned();
        let (_, _, _, _, answers) = FILES.iter().find(|file| file.0 == name).unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert!(text.ends_with('\n') && !text.contains('\r') && !text.ends_with("\n\n"), "{name}");
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("index\tprediction"), "{name}");
        let predictions = lines.enumerate().map(|(row, line)| {
            let [index, prediction] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{name}: {line}")
            };
            assert_eq!(index, row.to_string(), "{name}");
            match answers.is_empty() {
                true => assert!((0.0..=5.0).contains(&prediction.parse::<f64>().unwrap()), "{line}"),
                false => assert!(answers.contains(&prediction), "{name}: {line}"),
            }
            prediction.to_owned()
        });
        let predictions = predictions.collect();
        assert!(found.insert(name, predictions).is_none());
    }
    found
}

#[test]
fn a_submission_has_the_eleven_files_of_the_server() {
    let place = place(&[]);
    let dir = place.path();
    let args =
        ["bench", "model", "--submission", "glue", "--scorer", "reward:truth", "--out", "out", "--json"];
    let told = run(dir, &args);
    let messages = joined(&told.stderr);
    let results: Results = serde_json::from_str(&told.ok()).unwrap();
    assert!(results.results.is_empty(), "{results:?}");
    let found = read_archive(&dir.join("glue/submission.zip"));
    assert_eq!(found.len(), 11);
    let documents = DocumentScores::load_all(&dir.join("out")).unwrap();
    for (file, task, split, _, answers) in FILES {
        let predictions = &found[file];
        assert_eq!(predictions.len(), rows(file), "{file}");
        // Beside the archive is the same file, and the answers are those with the highest reward.
        let text = fs::read_to_string(dir.join(format!("glue/{file}.tsv"))).unwrap();
        assert_eq!(
            text.lines().skip(1).map(|line| line.split('\t').nth(1).unwrap()).collect::<Vec<_>>(),
            *predictions
        );
        let split = if split == "test_matched" { "test" } else { split };
        let is = |document: &&DocumentScores| document.task == task && document.split == split;
        for (document, prediction) in documents.iter().filter(is).zip(predictions) {
            assert_eq!(document.gold, None);
            let reward = |index: &usize| document.candidates[*index].rewards["truth"].unwrap();
            let best =
                (0..document.candidates.len()).rev().max_by(|a, b| reward(a).total_cmp(&reward(b))).unwrap();
            match answers {
                [] => assert_eq!(prediction.parse::<f64>().unwrap(), best as f64),
                answers => assert_eq!(prediction, answers[best], "{file}"),
            }
        }
        // A number of rows that the server refuses is told.
        let warning = format!("{file}.tsv has {} rows, and the published test set has", rows(file));
        assert_eq!(messages.contains(&warning), file != "WNLI", "{messages}");
    }
    assert!(found.values().any(|predictions| predictions.iter().any(|answer| *answer != predictions[0])));

    // The second time nothing is computed, and every byte is the same.
    let bytes = || {
        let names = FILES.iter().map(|file| format!("{}.tsv", file.0)).chain(["submission.zip".into()]);
        names.map(|name| fs::read(dir.join("glue").join(name)).unwrap()).collect::<Vec<_>>()
    };
    let first = bytes();
    fs::remove_dir_all(dir.join("glue")).unwrap();
    run(dir, &args).ok();
    assert_eq!(bytes(), first);
}

#[test]
fn a_task_without_rows_is_named_and_left_out() {
    let place = place(&["QQP", "MNLI-mm"]);
    let dir = place.path();
    fs::create_dir(dir.join("glue")).unwrap();
    // A document that is too long has no answer, and no other is made up for it.
    let mut long = fs::read_to_string(dir.join("data/rte/test.jsonl")).unwrap();
    long.push_str(&format!(
        "{}\n",
        json!({"sentence1": "x ".repeat(3000), "sentence2": "y", "label": -1, "idx": 99})
    ));
    fs::write(dir.join("data/rte/test.jsonl"), long).unwrap();
    fs::write(dir.join("data/sst2/test.jsonl"), "{\"sentence\": \"good\", \"label\": -1}\n{\"label\": -1}\n")
        .unwrap();
    let told = run(
        dir,
        &["bench", "model", "--submission", "glue", "--scorer", "loglik-mean", "--scorer", "reward"],
    );
    let messages = joined(&told.stderr);
    told.ok();
    for scorer in ["loglik-mean", "reward-preference", "reward-truth"] {
        let found = read_archive(&dir.join(format!("glue/{scorer}/submission.zip")));
        let names: Vec<&String> = found.keys().collect();
        assert_eq!(names, ["AX", "CoLA", "MNLI-m", "MRPC", "QNLI", "STS-B", "WNLI"]);
        assert!(!dir.join(format!("glue/{scorer}/QQP.tsv")).exists());
    }
    assert!(
        messages.contains(
            "left out, as there are no rows: QQP.tsv (qqp/test), MNLI-mm.tsv (mnli/test_mismatched)."
        ),
        "{messages}"
    );
    for file in ["RTE", "SST-2"] {
        let warning =
            format!("{file}.tsv is left out: the server takes a file only with an answer to every row.");
        assert!(messages.contains(&warning), "{messages}");
    }
}

#[test]
fn a_submission_needs_rows_and_all_of_them() {
    let place = place(&FILES.map(|file| file.0));
    fs::create_dir(place.path().join("data")).unwrap();
    let told = run(place.path(), &["bench", "model", "--submission", "glue"]);
    assert_eq!(told.status, 2, "{}", told.stderr);
    assert!(joined(&told.stderr).contains("there are no test rows of GLUE in data"), "{}", told.stderr);
    let told = run(place.path(), &["bench", "model", "--submission", "glue", "--limit", "3"]);
    assert_eq!(told.status, 2, "{}", told.stderr);
}
