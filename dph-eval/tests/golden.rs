//! The numbers of the authors' implementation: whole documents, and the averages over tasks.

#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use dph_core::testing::{Golden, GoldenTensor, assert_close, device, entries, list, number};
use dph_core::{Candidate, CandidateSet, Scorer};
use dph_data::{Task, TaskMetric, World};
use dph_eval::{
    Estimate, Model, Scoring, Suite, accuracy, f1, matthews, mean_of_metrics, pearson, score, spearman,
};
use serde_json::Value;

/// Our names of the tasks and splits of the suites, and the authors'.
const TASKS: [(&str, &str, &str); 19] = [
    ("hellaswag", "validation", "Hellaswag/no_choice"),
    ("openbookqa", "test", "obqa/main"),
    ("winogrande", "validation", "winogrande/no_choice"),
    ("arc_easy", "test", "arc/ARC-Easy"),
    ("arc_challenge", "test", "arc/ARC-Challenge"),
    ("boolq", "validation", "super_glue/boolq"),
    ("piqa", "validation", "piqa/no_choice"),
    ("race_middle", "test", "race/middle"),
    ("race_high", "test", "race/high"),
    ("cola", "validation", "GLUE/cola"),
    ("mnli", "validation", "GLUE/mnli_matched"),
    ("mnli", "validation_mismatched", "GLUE/mnli_mismatched"),
    ("mrpc", "validation", "GLUE/mrpc"),
    ("qnli", "validation", "GLUE/qnli"),
    ("qqp", "validation", "GLUE/qqp"),
    ("rte", "validation", "GLUE/rte"),
    ("sst2", "validation", "GLUE/sst2"),
    ("stsb", "validation", "GLUE/stsb"),
    ("wnli", "validation", "GLUE/wnli"),
];

/// Their name of a metric.
fn theirs(metric: TaskMetric) -> &'static str {
    match metric {
        TaskMetric::Accuracy => "accuracy",
        TaskMetric::F1 => "f1",
        TaskMetric::Matthews => "matthews_correlation",
        TaskMetric::Pearson => "pearson",
        TaskMetric::Spearman => "spearmanr",
        // No task of theirs has another metric.
        other => panic!("{other}"),
    }
}

#[test]
fn golden_metrics_cases() {
    let golden = Golden::open();
    let Some(json) = golden.json("metrics/metrics.json") else { return };
    let tolerance = number(&json["tolerance_abs"]);
    for case in list(&json["cases"]) {
        let what = format!("{} {}", case["task"], case["case"]);
        let numbers = |key: &str| -> Vec<f64> { case[key].as_array().unwrap().iter().map(number).collect() };
        let (predictions, references) = (numbers("predictions"), numbers("references"));
        let classes = |values: &[f64]| -> Vec<usize> { values.iter().map(|value| *value as usize).collect() };
        let right = predictions.iter().zip(&references).filter(|(a, b)| a == b).count();
        for (metric, expected) in entries(&case["result"]) {
            let value = match metric.as_str() {
                "accuracy" => accuracy(right, predictions.len()).unwrap().value,
                "f1" => f1(&classes(&predictions), &classes(&references)),
                "matthews_correlation" => matthews(&classes(&predictions), &classes(&references)),
                "pearson" => pearson(&predictions, &references),
                "spearmanr" => spearman(&predictions, &references),
                other => panic!("{what}: the metric {other} is not known"),
            };
            assert_close(&format!("{what} {metric}"), &[value], &[number(expected)], tolerance, 0.0);
        }
        // The task's file names the metrics that the reference computes.
        if let Some((ours, ..)) = TASKS
            .iter()
            .find(|(_, _, name)| Some(*name) == case["task"].as_str().map(|t| format!("GLUE/{t}")).as_deref())
        {
            let metrics = Task::find(ours).unwrap().metrics;
            let metrics: Vec<&str> = metrics.into_iter().map(theirs).collect();
            assert_eq!(metrics, case["result"].as_object().unwrap().keys().collect::<Vec<_>>(), "{what}");
        }
    }
}

#[test]
fn golden_metrics_suites() {
    let golden = Golden::open();
    let Some(json) = golden.json("metrics/metrics.json") else { return };
    let tolerance = number(&json["tolerance_abs"]);
    // During training the authors weigh RACE by thousands of questions.
    let race = "[[task]]\ntask = \"race_middle\"\nsplit = \"test\"\nweight = 1.44\n\
                [[task]]\ntask = \"race_high\"\nsplit = \"test\"\nweight = 3.45\n";
    let race = Suite::parse(race, Path::new("race.toml")).unwrap();
    let find = |name| Suite::find(name).unwrap();
    let suites = [
        ("gpt4all", find("gpt4all")),
        ("glue_all", find("glue")),
        ("glue_no_wnli", find("glue_no_wnli")),
        ("race_avg", race),
    ];
    for case in list(&json["aggregates"]) {
        let combined = |suite: &Suite, scorer: &str| -> f64 {
            let estimate = suite.combine(|part| {
                let known =
                    |(task, split, _): &&(&str, &str, &str)| *task == part.task && *split == part.split;
                let (_, _, name) = TASKS.iter().find(known).unwrap();
                let metrics: Vec<Estimate> = Task::find(&part.task)
                    .unwrap()
                    .metrics
                    .into_iter()
                    .map(|metric| Estimate {
                        value: number(&case["metrics"][format!("{name}/{scorer}_{}", theirs(metric))]),
                        stderr: None,
                    })
                    .collect();
                mean_of_metrics(&metrics)
            });
            100.0 * estimate.unwrap().value
        };
        for (key, expected) in entries(&case["aggregates"]) {
            let (scorer, name) = key.strip_prefix("validation/").unwrap().split_once('_').unwrap();
            let (_, suite) = suites.iter().find(|(theirs, _)| *theirs == name).unwrap();
            assert_close(key, &[combined(suite, scorer)], &[number(expected)], tolerance, 0.0);
        }
        let expected = number(&case["benchmark_race_avg_dph"]);
        assert_close("race", &[combined(&find("race"), "dph")], &[expected], tolerance, 0.0);
    }
}

#[test]
fn golden_reward_bench() {
    let golden = Golden::open();
    let Some(json) = golden.json("metrics/reward_bench.json") else { return };
    for (category, subsets) in entries(&json["subset_mapping"]) {
        let name = format!("reward_bench_{}", category.to_lowercase().replace(' ', "_"));
        let suite = Suite::find(&name).unwrap();
        let splits: Vec<&str> = suite.tasks.iter().map(|part| part.split.as_str()).collect();
        let subsets: Vec<&str> = subsets.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(splits, subsets, "{name}");
        for scorer in ["log", "dph"] {
            let combined = suite.combine(|part| {
                let key = format!("reward_bench/{}/{scorer}_accuracy", part.split);
                Some(Estimate { value: number(&json["metrics"][key]), stderr: None })
            });
            let key = format!("validation/RewardBench/{scorer}_{}", category.replace(' ', ""));
            let expected = number(&json["aggregates"][scorer][key]);
            assert_close(&name, &[100.0 * combined.unwrap().value], &[expected], 1e-9, 0.0);
        }
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
    let documents = list(&json["documents"]);
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

/// The reference model with its preference head, in a directory as the authors write it.
fn reference_model(json: &Value, weights: &Path) -> Model {
    let dir = tempfile::tempdir().unwrap();
    let mut config = json["config"].clone();
    config["model_type"] = "lsw_transformer".into();
    // The tokens are given; any tokenizer will do.
    World::default().write_tokenizer(dir.path()).unwrap();
    std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    std::fs::copy(weights, dir.path().join("model.safetensors")).unwrap();
    Model::open(dir.path(), &device()).unwrap()
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
        candidates.push(Candidate::new(ids[first..end].to_vec(), 0));
    }
    assert!(prompts.iter().all(|prompt| *prompt == prompts[0]));
    CandidateSet { id: format!("{index}"), prompt: prompts.remove(0), candidates, ..CandidateSet::default() }
}
