//! Many heads in one pass over a model give the numbers of each alone.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use dph_core::Layer;
use dph_eval::{
    Bench, BenchError, BenchOptions, BenchPlan, BenchStep, Model, NamedHead, ScorerChoice, bench, bench_heads,
};
use serde_json::json;
use support::{head, lswt, lswt_with_registers, model};

fn named(name: &str, layer: Layer, rewards: &[&str]) -> NamedHead {
    let (head, config) = head(layer, rewards);
    NamedHead { name: name.into(), head, config }
}

/// Rows of BoolQ and PIQA, and a suite of both.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let write = |task: &str, rows: Vec<serde_json::Value>| {
        let dir = place.path().join(task);
        fs::create_dir_all(&dir).unwrap();
        let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
        fs::write(dir.join("validation.jsonl"), rows).unwrap();
    };
    let question = |i: i32| format!("is {i} more than {}", i * i % 7);
    write(
        "boolq",
        (0..14)
            .map(|i| json!({"passage": "Old Ann.", "question": question(i), "answer": i % 3 == 0}))
            .collect(),
    );
    write(
        "piqa",
        (0..9)
            .map(|i| json!({"goal": format!("Make {i}"), "sol1": "Bake it.", "sol2": "Eat it raw.", "label": i % 2}))
            .collect(),
    );
    let suite = "[[task]]\ntask = \"boolq\"\nsplit = \"validation\"\n[[task]]\ntask = \"piqa\"\nsplit = \"validation\"\n";
    fs::write(place.path().join("two.toml"), suite).unwrap();
    place
}

#[test]
fn each_of_many_heads_gets_what_it_gets_alone() {
    let place = place();
    let suite = place.path().join("two.toml").display().to_string();
    let plan = BenchPlan::new(&[suite], &[], &[]).unwrap();
    let heads = [
        named("deep", Layer::Last, &["preference"]),
        named("first", Layer::At(1), &["preference", "truth"]),
        named("middle", Layer::At(2), &["truth"]),
    ];
    // The rows of the second model are the candidates one by one.
    for config in [lswt(), lswt_with_registers()] {
        let mut model: Model = model(&config, Layer::At(0));
        for scorers in [ScorerChoice::Both, ScorerChoice::Reward, ScorerChoice::Log] {
            let options = BenchOptions::new(place.path(), scorers.clone());
            let mut passes = 0;
            let together = bench_heads(&model, &heads, &plan, &options, &mut |progress| {
                passes += usize::from(
                    matches!(progress.step, BenchStep::Scoring(_))
                        && progress.overall.done == progress.overall.total,
                );
            })
            .unwrap();
            assert_eq!((together.len(), passes), (3, 1));
            for (named, together) in heads.iter().zip(together) {
                model.name = named.name.clone();
                model.head = Some((named.head.clone(), named.config.clone()));
                let mut alone: Bench = bench(&model, &plan, &options, &mut |_| {}).unwrap();
                // Only the results of one head name it.
                assert_eq!(alone.results.head.take(), model.head_hash());
                assert_eq!(together, alone, "{} by {scorers:?}", named.name);
                assert!(!alone.results.results.is_empty() && !alone.results.suites.is_empty());
            }
        }
    }
}

#[test]
fn a_head_of_another_model_is_named() {
    let plan = BenchPlan::new(&[], &["boolq"], &[]).unwrap();
    let place = place();
    let model = model(&lswt(), Layer::Last);
    let heads = [named("fits", Layer::At(3), &["a"]), named("does not", Layer::At(4), &["a"])];
    let options = BenchOptions::new(place.path(), ScorerChoice::Both);
    let error = bench_heads(&model, &heads, &plan, &options, &mut |_| {}).unwrap_err();
    assert!(matches!(error, BenchError::Head { .. }));
    assert!(error.to_string().starts_with("does not: the preference head reads layer 4"), "{error}");
    assert!(bench_heads(&model, &[], &plan, &options, &mut |_| {}).unwrap().is_empty());
}
