//! `steer` with probes: rewards that are trained at random positions of the answers.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use dph_core::{Candidate, CandidateSet, SteerObjective};
use dph_data::{ChatTokenizer, Task, TaskData, TaskLoadOptions, draw_positions};
use dph_eval::{Model, Scoring, score};
use serde_json::json;
use support::{fail, kill_at, metrics, set, succeed, tiny, train_in};

const NAMES: [&str; 2] = ["positive", "wordy"];

/// A task with rated answers of 1 to 9 words, with training and validation rows.
fn write_task(dir: &Path) {
    let task = "name = 'rated'\nkind = 'instruction'\nuser = '{{ prompt }}'\ntarget = '{{ answer }}'\n\
                attributes = { positive = 'yes', wordy = 'words' }\n";
    std::fs::write(dir.join("rated.toml"), task).unwrap();
    std::fs::create_dir_all(dir.join("data/rated")).unwrap();
    let row = |index: usize| {
        let (yes, words) = (index % 2, index % 5);
        let answer = [vec!["yes"; yes], vec!["word"; 2 * words], vec!["."]].concat().join(" ");
        json!({ "prompt": format!("Question {index}?"), "answer": answer, "yes": yes, "words": words })
    };
    for (split, rows) in [("train", 0..40), ("validation", 40..60)] {
        let rows: String = rows.map(|index| format!("{}\n", row(index))).collect();
        std::fs::write(dir.join(format!("data/rated/{split}.jsonl")), rows).unwrap();
    }
}

const CHANGES: [&str; 9] = [
    "stage.dph.objective={ steer = { probes = 3 } }",
    "head.rewards=['positive', 'wordy']",
    "stage.dph.mix={ \"rated.toml\" = 1.0 }",
    "stage.dph.steps=12",
    "stage.dph.optimiser.lr=0.02",
    "stage.dph.keep=last",
    "stage.dph.validation={ every = 12 }",
    "data=data",
    "eval={}",
];

/// The last value of the loss on a split.
fn last_loss(run: &Path, split: &str) -> f64 {
    metrics(run, "dph", split).last().unwrap()["steer/loss"].as_f64().unwrap()
}

/// The loss of a trained head on the validation rows, from the rewards of answers that are cut off behind each position, as if they were
/// candidates of their own.
fn expected(dir: &Path, run: &Path, probes: usize) -> f64 {
    let device = dph_core::device("flex").unwrap();
    let model = Model::open(run, &device).unwrap();
    let task = Task::find(dir.join("rated.toml").to_str().unwrap()).unwrap();
    let tokenizer: &ChatTokenizer = &model.tokenizer;
    let options = TaskLoadOptions { style: tokenizer.default_style(), ..TaskLoadOptions::default() };
    let data = TaskData::load(&task, &dir.join("data"), "validation", tokenizer, &options).unwrap();
    assert_eq!(data.sets.len(), 20);
    let mut losses = Vec::new();
    for set in &data.sets {
        let gold = set.gold.unwrap();
        let answer = &set.candidates[gold];
        let positions = draw_positions(set, gold, probes, 42, 0);
        let cut = |position: &usize| {
            let tokens = answer.tokens[..answer.turn().start + position + 1].to_vec();
            Candidate {
                answer: answer.answer.start..answer.answer.end.min(tokens.len()),
                tokens,
                ..answer.clone()
            }
        };
        let cuts =
            CandidateSet { candidates: positions.iter().map(cut).collect(), gold: None, ..set.clone() };
        let scoring = Scoring { log_likelihood: false, ..Scoring::default() };
        let scores = score(&model, std::slice::from_ref(&cuts), &scoring, &mut |_| {}).unwrap().remove(0);
        for (head, name) in NAMES.iter().enumerate() {
            let errors =
                scores.iter().map(|scores| f64::from(scores.rewards[head] - set.attributes[*name]).powi(2));
            let weights = SteerObjective::position_weights(&positions).into_iter().map(f64::from);
            losses.push(errors.zip(weights).map(|(error, weight)| error * weight).sum::<f64>());
        }
    }
    losses.iter().sum::<f64>() / losses.len() as f64
}

#[test]
fn rewards_are_trained_at_random_positions_of_the_answers() {
    let dir = tiny("tiny.gguf");
    let dir = dir.path();
    write_task(dir);
    for (trainable, aggregation, lr) in [
        ("none", "{ layers = 1, tokens = \"end-of-turn\" }", 0.02),
        ("none", "{ layers = 1, tokens = { moving-average = { decay = 0.5 } } }", 0.02),
        ("all", "{ layers = 1, tokens = \"mean\" }", 0.003),
    ] {
        let more = [
            format!("stage.dph.trainable={trainable}"),
            format!("head.aggregation={aggregation}"),
            format!("stage.dph.optimiser.lr={lr}"),
        ];
        let changes = [&CHANGES[..], &[&more[0], &more[1], &more[2]]].concat();
        let run = dir.join("run");
        let _ = std::fs::remove_dir_all(&run);
        succeed(&mut train_in(dir, "run", &set(&changes)));
        let (reported, expected, at_the_end) =
            (last_loss(&run, "valid"), expected(dir, &run, 3), expected(dir, &run, 0));
        assert!(
            (reported - expected).abs() < 1e-4 * (1.0 + expected),
            "{more:?}: {reported} is not {expected}"
        );
        assert!((expected - at_the_end).abs() > 1e-3, "{more:?}: probes change nothing");
    }
}

#[test]
fn a_resumed_run_probes_the_same_positions_and_no_probes_are_the_default() {
    let dir = tiny("tiny.gguf");
    let dir = dir.path();
    write_task(dir);
    let head = |run: &str| std::fs::read(dir.join(run).join("dph/preference_head.safetensors")).unwrap();
    let with = |probes: &str| {
        let objective = format!("stage.dph.objective={{ steer = {{ {probes} }} }}");
        let run = format!("run{}", probes.len());
        let mut changes = CHANGES.to_vec();
        changes[0] = &objective;
        succeed(&mut train_in(dir, &run, &set(&changes)));
        head(&run)
    };
    assert!(with("") == with("probes = 0") && with("") != with("probes = 15"));
    let long = [&CHANGES[..], &["stage.dph.steps=400", "stage.dph.validation={ every = 5 }"]].concat();
    succeed(&mut train_in(dir, "whole", &set(&long)));
    kill_at(&mut train_in(dir, "killed", &set(&long)), &dir.join("killed/checkpoints/dph"), 10);
    succeed(train_in(dir, "killed", &set(&long)).arg("--resume"));
    assert!(head("whole") == head("killed"));
}

#[test]
fn a_reduction_over_the_tokens_contradicts_probes() {
    let dir = tiny("tiny.gguf");
    write_task(dir.path());
    let changes = [&CHANGES[..], &["head.aggregation.running=mean"]].concat();
    let told = fail(&mut train_in(dir.path(), "run", &set(&changes)), 2);
    assert!(told.contains("`running` of `[head] aggregation` changes only the rewards of tokens"), "{told}");
    assert_eq!(fail(train_in(dir.path(), "run", &set(&changes)).arg("--dry-run"), 2), told);
}
