//! The listwise form of the objective of a head, through the experiment file.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use dph_eval::DocumentScores;
use serde_json::json;
use support::{fail, metrics, said, set, succeed, tiny, train_in};

/// A task with 1 to 5 candidates, of which some rows have no answer, and its training and validation rows.
fn write_task(dir: &Path) {
    let task =
        "name = 'sizes'\nkind = 'choice'\nuser = '{{ question }}'\ncandidates = 'options'\ngold = 'answer'\n";
    std::fs::write(dir.join("sizes.toml"), task).unwrap();
    std::fs::create_dir_all(dir.join("data/sizes")).unwrap();
    let row = |index: usize| {
        let options: Vec<String> =
            (0..1 + index % 5).map(|option| "ab".repeat(1 + (index * 3 + option * 5) % 7)).collect();
        let answer = if index % 6 == 4 { json!(null) } else { json!(index % options.len()) };
        json!({ "question": format!("Number {index}?"), "options": options, "answer": answer })
    };
    for (split, count) in [("train", 0..24), ("validation", 24..50)] {
        let rows: String = count.map(|index| format!("{}\n", row(index))).collect();
        std::fs::write(dir.join(format!("data/sizes/{split}.jsonl")), rows).unwrap();
    }
}

const CHANGES: [&str; 9] = [
    "stage.dph.objective.dph={ form = \"listwise\", label_smoothing = 0.2 }",
    "stage.dph.mix={ \"sizes.toml\" = 1.0 }",
    "stage.dph.steps=6",
    "stage.dph.batch=5",
    "stage.dph.optimiser.lr=0.03",
    "stage.dph.keep=last",
    "stage.dph.validation={ every = 6 }",
    "data=data",
    "eval={ tasks = [\"sizes.toml\"], split = \"validation\" }",
];

/// `-(1-ε) log p₊ - ε/(K-1) Σ log p₋` of the rewards of the documents with an answer and several candidates, averaged.
fn cross_entropy(documents: &[DocumentScores], label_smoothing: f64) -> (f64, usize) {
    let of = |document: &DocumentScores| {
        let gold = document.gold.filter(|_| document.candidates.len() > 1)?;
        let rewards: Vec<f64> = document
            .candidates
            .iter()
            .map(|candidate| f64::from(candidate.rewards["preference"].unwrap()))
            .collect();
        let normaliser = rewards.iter().map(|reward| reward.exp()).sum::<f64>().ln();
        let others = (rewards.len() - 1) as f64;
        let of_candidate = |(index, reward): (usize, &f64)| {
            let target = if index == gold { 1.0 - label_smoothing } else { label_smoothing / others };
            -target * (reward - normaliser)
        };
        Some(rewards.iter().enumerate().map(of_candidate).sum::<f64>())
    };
    let losses: Vec<f64> = documents.iter().filter_map(of).collect();
    (losses.iter().sum::<f64>() / losses.len() as f64, losses.len())
}

#[test]
fn a_head_is_trained_by_the_cross_entropy_of_whole_sets() {
    let dir = tiny("tiny.gguf");
    write_task(dir.path());
    for trainable in ["none", "all"] {
        let trained = format!("stage.dph.trainable={trainable}");
        let changes = [&CHANGES[..], &[&trained]].concat();
        let run = dir.path().join(trainable);
        let output = said(&succeed(&mut train_in(dir.path(), trainable, &set(&changes))));
        // Sets with one candidate or without an answer are left out.
        assert!(output.contains("train: 16 sets") && output.contains("validation: 18 sets"), "{output}");

        // All rewards of a new head are 0: the loss is the mean of log K. The same of pairs would be log 2.
        let first = metrics(&run, "dph", "train")[0]["dph/loss"].as_f64().unwrap();
        assert!(first > 2f64.ln() + 0.1 && first < 5f64.ln(), "{trainable}: {first}");

        // After the last step, the loss of the validation is that of the rewards in the documents of the evaluation.
        let documents = DocumentScores::load_all(&run).unwrap();
        let (expected, sets) = cross_entropy(&documents, 0.2);
        assert_eq!(sets, 18, "{trainable}");
        let reported = metrics(&run, "dph", "valid").last().unwrap()["dph/loss"].as_f64().unwrap();
        assert!(
            (reported - expected).abs() < 1e-4 * (1.0 + expected),
            "{trainable}: {reported} is not {expected}"
        );
        assert!((expected - first).abs() > 1e-2, "{trainable}: nothing was trained");
    }
}

#[test]
fn one_wrong_answer_of_each_set_is_a_contradiction() {
    let dir = tiny("tiny.gguf");
    let mut arguments =
        vec!["--set", "stage.dph.objective.dph.form=listwise", "--set", "stage.dph.negatives=one"];
    let said = fail(&mut train_in(dir.path(), "run", &arguments), 2);
    assert!(said.contains("`listwise` compares all candidates of a set"), "{said}");
    assert!(said.contains("set `negatives = \"all\"`"), "{said}");
    arguments.push("--dry-run");
    assert_eq!(fail(&mut train_in(dir.path(), "run", &arguments), 2), said);
    assert!(!dir.path().join("run").exists());
}
