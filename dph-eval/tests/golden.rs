//! The numbers of the authors' implementation: whole documents, and the averages over tasks.

#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "../../dph-core/tests/support/golden.rs"]
mod golden;
mod support;

use std::collections::BTreeMap;
use std::path::Path;

use dph_core::{Candidate, CandidateSet, Scorer};
use dph_data::World;
use dph_eval::{Estimate, Model, Scoring, Suite, score};
use golden::{Golden, GoldenTensor, assert_close, number};
use serde_json::Value;

/// Our names of the tasks of the two suites, and the authors'.
const TASKS: [(&str, &str); 9] = [
    ("hellaswag", "Hellaswag/no_choice"),
    ("openbookqa", "obqa/main"),
    ("winogrande", "winogrande/no_choice"),
    ("arc_easy", "arc/ARC-Easy"),
    ("arc_challenge", "arc/ARC-Challenge"),
    ("boolq", "super_glue/boolq"),
    ("piqa", "piqa/no_choice"),
    ("race_middle", "race/middle"),
    ("race_high", "race/high"),
];

#[test]
fn golden_metrics_suites() {
    let golden = Golden::open();
    let Some(json) = golden.json("metrics/metrics.json") else { return };
    let tolerance = number(&json["tolerance_abs"]);
    let aggregates = json["aggregates"].as_array().unwrap();
    assert!(!aggregates.is_empty());
    for case in aggregates {
        let combined = |suite: &str, scorer: &str| -> f64 {
            let estimate = Suite::find(suite).unwrap().combine(|task| {
                let (_, theirs) = TASKS.iter().find(|(ours, _)| *ours == task.task).unwrap();
                let value = number(&case["metrics"][format!("{theirs}/{scorer}_accuracy")]);
                Some(Estimate { value, stderr: None })
            });
            100.0 * estimate.unwrap().value
        };
        for scorer in ["log", "dph"] {
            let expected = number(&case["aggregates"][format!("validation/{scorer}_gpt4all")]);
            assert_close("gpt4all", &[combined("gpt4all", scorer)], &[expected], tolerance, 0.0);
        }
        let expected = number(&case["benchmark_race_avg_dph"]);
        assert_close("race", &[combined("race", "dph")], &[expected], tolerance, 0.0);
    }
}

#[test]
fn golden_choice_documents() {
    let golden = Golden::open();
    let (Some(json), Some(tensors), Some(weights)) = (
        golden.json("choice/choice.json"),
        golden.tensors("choice/choice.safetensors"),
        golden.path("choice/model.weights.safetensors"),
    ) else {
        return;
    };
    let model = reference_model(&json, &weights);
    let documents = json["documents"].as_array().unwrap();
    assert!(!documents.is_empty());
    let sets: Vec<CandidateSet> =
        (0..documents.len()).map(|index| candidate_set(index, &documents[index], &tensors, &json)).collect();
    // Together and one after the other: neither the order nor the company matters.
    for token_budget in [1, 4096] {
        let scoring = Scoring { token_budget, ..Scoring::default() };
        let scores = score(&model, &sets, &scoring, &mut |_| {}).unwrap();
        for ((document, set), scores) in documents.iter().zip(&sets).zip(&scores) {
            let name = format!("{} {}", set.id, document["task"]);
            let tolerance = |what: &str| number(&json["tolerance_float32"][what]);
            let reward = Scorer::Reward { head: "reward_head".into(), index: 0 };
            let predicted = |aggregation: &str| &document["aggregations"][aggregation]["log_prediction"];
            let scored = |aggregation: &str| &document["aggregations"][aggregation]["log_scores"];
            for (scorer, what, expected, prediction) in [
                (Scorer::LoglikMean, "mean", scored("mean"), predicted("mean")),
                (Scorer::LoglikSum, "sum", scored("sum"), predicted("sum")),
                (reward, "reward", &document["rewards"], &document["dph_prediction"]),
            ] {
                let values: Vec<f64> = scores.iter().map(|scores| scorer.value(scores)).collect();
                let expected: Vec<f64> = expected.as_array().unwrap().iter().map(number).collect();
                assert_close(&format!("{name} {what}"), &values, &expected, tolerance(what), 0.0);
                assert_eq!(
                    scorer.choose(scores).map(|index| index as u64),
                    prediction.as_u64(),
                    "{name} {what}"
                );
            }
        }
    }
}

/// The reference model as a model directory with a preference head.
fn reference_model(json: &Value, weights: &Path) -> Model {
    let dir = tempfile::tempdir().unwrap();
    let mut config = json["config"].clone();
    config["model_type"] = "lswt".into();
    let heads = config["reward_heads"].clone();
    let head = serde_json::json!({
        "d_model": config["d_model"], "d_ffn": config["d_ffn"], "pooling": config["reward_pooler"], "rewards": heads,
    });
    // The tokens are given; any tokenizer will do.
    World::default().write_tokenizer(dir.path()).unwrap();
    std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    std::fs::copy(weights, dir.path().join("model.safetensors")).unwrap();
    std::fs::write(dir.path().join(dph_core::CONFIG_FILE), head.to_string()).unwrap();
    let bytes = std::fs::read(weights).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let rewards = file.iter().filter(|(name, _)| name.starts_with("reward_heads."));
    let rewards = safetensors::serialize(rewards, None).unwrap();
    std::fs::write(dir.path().join(dph_core::WEIGHTS_FILE), rewards).unwrap();
    Model::open(dir.path(), &dph_core::device("flex").unwrap()).unwrap()
}

/// A document from its padded rows: where targets are trained on, the answer and the end of its turn stand one to the
/// right.
fn candidate_set(
    index: usize,
    document: &Value,
    tensors: &BTreeMap<String, GoldenTensor>,
    json: &Value,
) -> CandidateSet {
    let end_of_turn = json["special_ids"]["cls"].as_u64().unwrap() as u32;
    let rows = |what: &str| {
        let tensor = &tensors[&format!("{index}.{what}")];
        tensor.values.chunks(tensor.shape[1]).map(<[f64]>::to_vec).collect::<Vec<_>>()
    };
    let mut prompts = Vec::new();
    let mut candidates = Vec::new();
    for (row, ((tokens, trained), tested)) in
        rows("tokens").iter().zip(rows("train_mask")).zip(rows("test_mask")).enumerate()
    {
        let ids: Vec<u32> = tokens.iter().map(|&token| token as u32).collect();
        let first = 1 + trained.iter().position(|&on| on == 1.0).unwrap();
        let end = first + trained.iter().filter(|&&on| on == 1.0).count();
        assert_eq!(ids[end - 1], end_of_turn);
        let scored = tested.iter().filter(|&&on| on == 1.0).count();
        assert_eq!(scored + 1, end - first);
        assert_eq!(Some(scored as u64), document["scored_tokens"][row].as_u64());
        prompts.push(ids[..first].to_vec());
        candidates.push(Candidate { tokens: ids[first..end].to_vec(), bytes: 0 });
    }
    assert!(prompts.iter().all(|prompt| *prompt == prompts[0]));
    CandidateSet { id: format!("{index}"), prompt: prompts.remove(0), candidates, gold: None }
}
