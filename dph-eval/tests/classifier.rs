//! `dph-eval bench` with classifiers of transformers, and their submissions to GLUE.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;
mod support;

use std::fs;
use std::path::Path;

use command::{joined, run};
use dph_eval::{DocumentScores, Results};
use dph_model::{Classifier, Encoder, ModelFiles, Text, TextClassifier};
use serde_json::{Value, json};
use support::{VOCAB, write_model, write_rows};

/// A tiny BERT with these classes, and the world's tokenizer, which has no chat format for it.
fn write_bert(dir: &Path, labels: &[&str]) {
    write_model(dir, &support::llama());
    let config = json!({ "model_type": "bert", "architectures": ["BertModel"], "vocab_size": VOCAB, "hidden_size": 16,
        "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 64,
        "initializer_range": 0.3 });
    let encoder = Encoder::init(&config.to_string(), 3, &dph_core::device("flex").unwrap()).unwrap();
    let labels: Vec<String> = labels.iter().map(|label| label.to_string()).collect();
    Classifier::with_new_layer(&encoder, &labels, 4).unwrap().save(dir).unwrap();
}

fn rows(dir: &Path, file: &str, fields: [&str; 2], count: usize, label: impl Fn(usize) -> Value) {
    let row = |index: usize| {
        json!({ fields[0]: format!("a {} b", "so ".repeat(index % 7)), fields[1]: format!("{index} is {}", index * 5 % 11),
            "label": label(index), "idx": index })
    };
    write_rows(&dir.join("data").join(file), (0..count).map(row));
}

fn results(told: command::Run) -> Results {
    serde_json::from_str(&told.ok()).unwrap()
}

#[test]
fn a_classifier_is_evaluated_as_it_is_and_by_the_names_of_its_classes() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    write_bert(&dir.join("model"), &["contradiction", "Entailment", "NEUTRAL"]);
    rows(dir, "mnli/validation_matched.jsonl", ["premise", "hypothesis"], 30, |index| json!(index % 3));
    let arguments = ["bench", "model", "--task", "mnli", "--json", "--out", "out"];
    let found = results(run(dir, &arguments));
    let named: Vec<(&str, &str)> =
        found.results.iter().map(|result| (result.scorer.as_str(), result.metric.as_str())).collect();
    assert_eq!(named, [("classifier", "accuracy")]);
    let documents = DocumentScores::load_all(&dir.join("out")).unwrap();
    let classifier = TextClassifier::load(
        &ModelFiles::open(dir.join("model")).unwrap(),
        &dph_core::device("flex").unwrap(),
    );
    let classifier = classifier.unwrap();
    let tokenizer = dph_data::ChatTokenizer::from_dir(&dir.join("model")).unwrap();
    let mut right = 0;
    for (index, document) in documents.iter().enumerate() {
        let texts = dph_data::ClassifiedText {
            first: format!("a {} b", "so ".repeat(index % 7)),
            second: Some(format!("{index} is {}", index * 5 % 11)),
        };
        let (tokens, _) = tokenizer.classified_text(&texts, dph_data::TextLayout::Pair, Some(64)).unwrap();
        let text = Text { tokens: tokens.tokens, token_types: tokens.token_types };
        let logits: Vec<f64> = classifier.logits(&[text]).unwrap().into_data().iter::<f64>().collect();
        let sum = logits.iter().map(|logit| logit.exp()).sum::<f64>().ln();
        // The classes of the task are entailment, neutral, contradiction.
        let expected = [1, 2, 0].map(|place: usize| logits[place] - sum);
        let ours: Vec<f64> = document.candidates.iter().map(|candidate| candidate.class.unwrap()).collect();
        for (ours, expected) in ours.iter().zip(expected) {
            assert!((ours - expected).abs() < 1e-5, "{ours} {expected}");
        }
        let best = (0..3).max_by(|a, b| ours[*a].total_cmp(&ours[*b])).unwrap();
        right += usize::from(best == index % 3);
        assert_eq!(document.candidates[0].loglik, None);
    }
    assert!((found.results[0].measurement.value - right as f64 / 30.0).abs() < 1e-12);
    // The same with the scorer named; a forecast; a table.
    assert_eq!(
        results(run(dir, &[&arguments[..], &["--scorer", "classifier"]].concat())).results,
        found.results
    );
    let forecast = run(dir, &["bench", "model", "--task", "mnli", "--dry-run"]).ok();
    assert!(forecast.starts_with("mnli/validation: 30 documents, "), "{forecast}");
    assert!(run(dir, &["bench", "model", "--task", "mnli"]).ok().contains("classifier"));
}

#[test]
fn what_a_classifier_cannot_do_is_told() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    write_bert(&dir.join("model"), &["no", "yes"]);
    write_model(&dir.join("llama"), &support::llama());
    rows(dir, "mnli/validation.jsonl", ["premise", "hypothesis"], 5, |index| json!(index % 3));
    rows(dir, "piqa/validation.jsonl", ["goal", "sol1"], 5, |index| json!(index % 2));
    let said = |arguments: &[&str]| {
        let told = run(dir, arguments);
        assert_eq!(told.status, 2, "{}", told.stderr);
        joined(&told.stderr)
    };
    let other = said(&["bench", "model", "--task", "mnli"]);
    assert!(
        other.contains("`model` has the outputs no, yes, and the task `mnli` needs the 3 classes entailment"),
        "{other}"
    );
    write_bert(&dir.join("partly"), &["entailment", "neutral", "other"]);
    let partly = said(&["bench", "partly", "--task", "mnli"]);
    assert!(partly.contains("`partly` has the outputs entailment, neutral, other"), "{partly}");
    // Classes of other names are compared by their position, which may be wrong.
    write_bert(&dir.join("other"), &["a", "b", "c"]);
    let other = run(dir, &["bench", "other", "--task", "mnli"]);
    assert!(
        joined(&other.stderr).contains("they are compared by their position; if the model has"),
        "{}",
        other.stderr
    );
    other.ok();
    let none = said(&["bench", "model", "--task", "piqa"]);
    assert!(
        none.contains("`piqa` cannot be used by a classifier: its file has no table [classify]"),
        "{none}"
    );
    let with = said(&["bench", "model", "--task", "mnli", "--scorer", "classifier", "--scorer", "log"]);
    assert!(with.contains("the scorer `classifier` is used alone"), "{with}");
    let causal = said(&["bench", "model", "--task", "mnli", "--scorer", "log"]);
    assert!(causal.contains("is an encoder"), "{causal}");
    // Its kind is said before what its tokenizer lacks for a conversation.
    fs::remove_file(dir.join("model/tokenizer.json")).unwrap();
    let ranked = said(&["rank", "model", "--prompt", "a", "--candidate", "b"]);
    assert!(ranked.contains("is an encoder"), "{ranked}");
    write_bert(&dir.join("model"), &["no", "yes"]);
    let no_layer = said(&["bench", "llama", "--task", "mnli", "--scorer", "classifier"]);
    assert!(no_layer.contains("does not name a class *ForSequenceClassification"), "{no_layer}");
    let tasks = said(&["bench", "model", "--submission", "glue"]);
    assert!(tasks.contains("name them with --task"), "{tasks}");
}

#[test]
fn classifiers_of_several_tasks_fill_one_submission() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    write_bert(&dir.join("two"), &["unacceptable", "acceptable"]);
    write_bert(&dir.join("three"), &["entailment", "neutral", "contradiction"]);
    write_bert(&dir.join("number"), &["LABEL_0"]);
    let unlabelled = |_| json!(-1);
    rows(dir, "cola/test.jsonl", ["sentence", "more"], 9, unlabelled);
    rows(dir, "cola/validation.jsonl", ["sentence", "more"], 9, |index| json!(index % 2));
    for split in ["mnli/test_matched", "mnli/test_mismatched", "ax/test"] {
        rows(dir, &format!("{split}.jsonl"), ["premise", "hypothesis"], 9, unlabelled);
    }
    rows(dir, "mnli/validation.jsonl", ["premise", "hypothesis"], 9, |index| json!(index % 3));
    rows(dir, "stsb/test.jsonl", ["sentence1", "sentence2"], 9, unlabelled);
    rows(dir, "stsb/validation.jsonl", ["sentence1", "sentence2"], 9, |index| json!(index as f64 / 2.0));
    let submit = |model: &str, tasks: &[&str]| {
        let tasks: Vec<&str> = tasks.iter().flat_map(|task| ["--task", task]).collect();
        let told = run(
            dir,
            &[
                &["bench", model, "--submission", "glue", "--out", &format!("out/{model}"), "--json"],
                &tasks[..],
            ]
            .concat(),
        );
        let messages = joined(&told.stderr);
        told.ok();
        messages
    };
    fs::create_dir_all(dir.join("out")).unwrap();
    assert!(submit("two", &["cola"]).contains("left out, as there are no rows: SST-2.tsv"));
    submit("three", &["mnli", "ax"]);
    let messages = submit("number", &["stsb"]);
    let names = ["CoLA", "STS-B", "MNLI-m", "MNLI-mm", "AX"];
    assert!(names.iter().all(|name| !messages.contains(&format!("{name}.tsv ("))), "{messages}");
    let archive = fs::File::open(dir.join("glue/submission.zip")).unwrap();
    let mut archive = zip::ZipArchive::new(archive).unwrap();
    let found: Vec<String> = (0..archive.len())
        .map(|index| archive.by_index(index).unwrap().name().unwrap().to_string())
        .collect();
    assert_eq!(found, names.map(|name| format!("{name}.tsv")));
    for (name, is_answer) in [
        ("CoLA", (|answer: &str| ["0", "1"].contains(&answer)) as fn(&str) -> bool),
        ("MNLI-m", |answer: &str| ["entailment", "neutral", "contradiction"].contains(&answer)),
        ("STS-B", |answer: &str| (0.0..=5.0).contains(&answer.parse::<f64>().unwrap())),
    ] {
        let text = fs::read_to_string(dir.join(format!("glue/{name}.tsv"))).unwrap();
        let answers: Vec<&str> = text.lines().skip(1).map(|line| line.split('\t').nth(1).unwrap()).collect();
        assert_eq!(answers.len(), 9, "{name}");
        assert!(answers.iter().all(|answer| is_answer(answer)), "{name}: {answers:?}");
    }
    // The directory of all tasks of a sweep stands for the models of the tasks.
    let models = json!({ "models": { "cola": "../two", "mnli": "../three", "stsb": "../number" } });
    fs::create_dir(dir.join("all")).unwrap();
    fs::write(dir.join("all/manifest.json"), models.to_string()).unwrap();
    let told = run(dir, &["bench", "all", "--submission", "together"]);
    let messages = joined(&told.stderr);
    told.ok();
    assert!(messages.contains("left out, as there are no rows: SST-2.tsv"), "{messages}");
    for name in names.map(|name| format!("{name}.tsv")).iter().map(String::as_str).chain(["submission.zip"]) {
        let read = |folder: &str| fs::read(dir.join(folder).join(name)).unwrap();
        assert!(read("glue") == read("together"), "{name}");
    }
    let tasks = ["bench", "all", "--task", "stsb", "--task", "cola"];
    let found = results(run(dir, &[&tasks[..], &["--json"]].concat()));
    let names: Vec<&str> = found.results.iter().map(|result| result.task.as_str()).collect();
    assert_eq!(names, ["stsb", "stsb", "cola"]);
    let forecast = run(dir, &[&tasks[..], &["--dry-run"]].concat()).ok();
    assert!(
        forecast.contains("stsb/validation: 9 documents")
            && forecast.contains("cola/validation: 9 documents"),
        "{forecast}"
    );
    let told = run(dir, &["bench", "all", "--task", "rte"]);
    assert_eq!(told.status, 2, "{}", told.stderr);
    assert!(
        joined(&told.stderr).contains("all: there is no model of `rte`, but of cola, mnli, stsb"),
        "{}",
        told.stderr
    );
    let told = run(dir, &["rank", "all", "--prompt", "a", "--candidate", "b", "--candidate", "c"]);
    assert!(joined(&told.stderr).contains("this is a sweep, which holds many models"), "{}", told.stderr);

    // Predicted numbers, within the range of the server.
    let documents = DocumentScores::load_all(&dir.join("out/number")).unwrap();
    let test = documents.iter().filter(|document| document.split == "test");
    let expected: Vec<String> =
        test.map(|document| format!("{:.3}", document.predicted.unwrap().clamp(0.0, 5.0))).collect();
    let text = fs::read_to_string(dir.join("glue/STS-B.tsv")).unwrap();
    let answers: Vec<&str> = text.lines().skip(1).map(|line| line.split('\t').nth(1).unwrap()).collect();
    assert_eq!(answers, expected);
}
