//! Stages and evaluations in the style `plain`.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use dph_core::{HEAD_CONFIG_FILE, PreferenceHeadConfig, Style};
use serde_json::Value;
use support::{fail, small, succeed};

#[test]
fn a_head_learns_from_plain_documents_and_is_evaluated_on_them() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    succeed(&mut small(&run, &["--set", "stage.dph.style=\"plain\""]));
    assert_eq!(PreferenceHeadConfig::load(&run.join("dph")).unwrap().style, Style::Plain);
    let results: Value = serde_json::from_slice(&fs::read(run.join("results.json")).unwrap()).unwrap();
    assert_eq!(results["style"], "plain");
    let scorers: Vec<&str> =
        results["results"].as_array().unwrap().iter().map(|it| it["scorer"].as_str().unwrap()).collect();
    let expected = ["loglik-mean", "loglik-sum", "loglik-byte", "loglik-char", "reward:preference"];
    assert_eq!(scorers[..5], expected);
    let report = fs::read_to_string(run.join("report.md")).unwrap();
    assert!(report.contains("style plain: worded and tokenised as in lm-evaluation-harness"), "{report}");
}

#[test]
fn conversations_are_the_default_and_heads_do_not_name_them() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    succeed(&mut small(&run, &[]));
    assert!(!fs::read_to_string(run.join("dph").join(HEAD_CONFIG_FILE)).unwrap().contains("style"));
    let results: Value = serde_json::from_slice(&fs::read(run.join("results.json")).unwrap()).unwrap();
    assert_eq!(results["style"], "chat");
}

#[test]
fn another_style_in_the_evaluation_is_refused_before_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let said = fail(&mut small(&run, &["--set", "eval.style=\"plain\""]), 2);
    assert!(
        said.contains("stage `dph` trains a head on documents in the style `chat`, and the evaluation is in the style `plain`"),
        "{said}"
    );
    assert!(!run.join("dph").exists());
    // Stages without a head have any style.
    let said = fail(&mut small(&run, &["--set", "stage.sft.style=\"plain\""]), 2);
    assert!(said.contains("has no wording in the style `plain`"), "{said}");
    let said = fail(&mut small(&run, &["--set", "stage.dph.style=\"plan\""]), 2);
    assert!(said.contains("plan") && said.contains("`chat`"), "{said}");
}
