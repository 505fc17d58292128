//! `dph-eval calibrate`, and the threshold in `dph-eval rank`.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;
mod support;

use std::fs;

use command::{joined, run};
use dph_core::Aggregation;
use serde_json::Value;
use support::{head_on, lswt, write_model_with_head};

const RANK: [&str; 8] =
    ["rank", "model", "--prompt", "Who?", "--candidate", "Ann.", "--candidate", "Nobody knows who it was."];

#[test]
fn a_threshold_is_found_on_documents_and_used_by_rank() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    write_model_with_head(&dir.join("model"), &lswt(), &["preference", "truth"]);
    run(dir, &["bench", "model", "--task", "world", "--limit", "60", "--out", "out"]).ok();
    let auto = [&RANK[..], &["--min-reward", "auto", "--json"]].concat();
    let error = run(dir, &auto).failed(2);
    assert!(error.contains("model: there is no calibration here"), "{error}");

    let printed = run(dir, &["calibrate", "out", "--out", "model", "--json"]).ok();
    let file = std::fs::read_to_string(dir.join("model/calibration.json")).unwrap();
    assert_eq!(printed, file);
    let found: Value = serde_json::from_str(&file).unwrap();
    assert_eq!((&found["tasks"][0], found["scorers"].as_array().unwrap().len()), (&"world/test".into(), 4));
    let of = |scorer: &str| -> &Value {
        found["scorers"].as_array().unwrap().iter().find(|found| found["scorer"] == scorer).unwrap()
    };
    for scorer in ["loglik-mean", "reward:truth"] {
        let of = of(scorer);
        assert_eq!(of["documents"], 60);
        let curve = of["reliability"]["curve"].as_array().unwrap();
        assert_eq!(curve.iter().map(|bin| bin["documents"].as_u64().unwrap()).sum::<u64>(), 60);
        let threshold = &of["threshold"];
        assert_eq!((&threshold["right"], &threshold["wrong"]), (&60.into(), &180.into()));
        assert!(threshold["balanced_accuracy"].as_f64().unwrap() >= 0.5);
    }

    let threshold = of("reward:preference")["threshold"]["value"].as_f64().unwrap();
    let ranking: Value = serde_json::from_str(&run(dir, &auto).ok()).unwrap();
    assert_eq!(ranking["min_reward"].as_f64(), Some(threshold));
    let scores: Vec<f64> = ranking["ranking"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ranked| ranked["score"].as_f64().unwrap())
        .collect();
    let good = scores.iter().filter(|score| **score >= threshold).count();
    assert_eq!(ranking["accepted"].as_u64(), Some(good as u64));

    let text = run(dir, &[&RANK[..], &["--min-reward", "1e9"]].concat()).ok();
    assert!(text.contains("none is good enough: no reward:preference reaches 1000000000.0000"), "{text}");
    let text = run(dir, &[&RANK[..], &["--min-reward", "-1e9"]].concat()).ok();
    assert!(text.contains("2 of 2 good enough"), "{text}");
    let plain: Value = serde_json::from_str(&run(dir, &[&RANK[..], &["--json"]].concat()).ok()).unwrap();
    assert!(plain.get("accepted").is_none() && plain.get("min_reward").is_none());
    assert!(run(dir, &[&RANK[..], &["--min-reward", "high"]].concat()).failed(2).contains("or `auto`"));

    // The head of a file is its own; a likelihood needs none.
    let head = found["head"].as_str().unwrap();
    assert_eq!(head.len(), 16);
    write_model_with_head(&dir.join("same"), &lswt(), &["preference", "truth"]);
    fs::copy(dir.join("model/calibration.json"), dir.join("same/calibration.json")).unwrap();
    let same = |more: &[&str]| run(dir, &[&["rank", "same"], &auto[2..], more].concat());
    assert_eq!(same(&[]).ok(), run(dir, &auto).ok());
    let (other, config) = head_on(Aggregation::default(), &["preference", "truth"]);
    other.save(&config, &dir.join("same")).unwrap();
    let error = joined(&same(&[]).failed(2));
    let expected = format!("made with the preference head {head} of model, but the head of same is ");
    assert!(error.contains(&expected) && !error.contains(&format!("is {head}")), "{error}");
    same(&["--scorer", "loglik-mean"]).ok();
    let mut plain: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(plain["style"], "chat");
    plain["style"] = "plain".into();
    fs::write(dir.join("same/calibration.json"), plain.to_string()).unwrap();
    let error = joined(&same(&["--scorer", "loglik-mean"]).failed(2));
    assert!(error.contains("documents in the style `plain`, and these are in the style `chat`"), "{error}");
    let without: Value = serde_json::from_str(&file).unwrap();
    let mut without = without.as_object().unwrap().clone();
    without.remove("head");
    fs::write(dir.join("same/calibration.json"), Value::from(without).to_string()).unwrap();
    let unbound = same(&[]);
    assert!(unbound.stderr.contains("does not say which preference head"), "{}", unbound.stderr);
    unbound.ok();

    let text = run(dir, &["calibrate", "out", "--scorer", "reward:truth"]).ok();
    assert!(text.starts_with("reward:truth on 60 documents\naccuracy "), "{text}");
    assert!(dir.join("out/calibration.json").is_file());
    let error = run(dir, &["calibrate", "out", "--scorer", "reward:thruth"]).failed(2);
    assert!(error.contains("no scorer `reward:thruth`; did you mean `reward:truth`?"), "{error}");
    assert!(run(dir, &["calibrate", "out", "--task", "boolq"]).failed(2).contains("no task `boolq`"));
    assert!(run(dir, &["calibrate", "nowhere"]).failed(2).contains("no results.json here"));
}
