//! Heads whose aggregation learns are trained, exported and evaluated as any other.
#![allow(clippy::unwrap_used)]

mod support;

use support::{fail, small, succeed};

#[test]
fn aggregations_that_learn_are_trained_and_evaluated() {
    let dir = tempfile::tempdir().unwrap();
    for (index, (aggregation, tensor)) in [
        (r#"{ layers = { weighted = [0, 1, "last"] }, token_norm = "post" }"#, "aggregation.layer_weights"),
        (
            r#"{ tokens = { moving-average = { learn = "components", rotation = true, gate = true } } }"#,
            "aggregation.moving_average.gate.weight",
        ),
        (
            r#"{ layers = { mean = [1, "last"] }, tokens = { attention = { layers = ["pool", "cross"], heads = 4 } } }"#,
            "aggregation.attention.1.query.weight",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let run = dir.path().join(format!("{index}/run"));
        let aggregation = format!("head.aggregation={aggregation}");
        succeed(&mut small(&run, &["--set", &aggregation]));
        let weights = std::fs::read(run.join("dph/preference_head.safetensors")).unwrap();
        let trained = String::from_utf8_lossy(&weights).contains(&format!("\"{tensor}\""));
        assert!(trained, "{tensor} is not in the head of {aggregation}");
        let results: serde_json::Value =
            serde_json::from_slice(&std::fs::read(run.join("results.json")).unwrap()).unwrap();
        let rewards = results["results"].as_array().unwrap().iter();
        assert!(rewards.map(|result| &result["scorer"]).any(|scorer| scorer == "reward:preference"));
    }
}

#[test]
fn an_aggregation_that_cannot_be_is_refused_before_anything_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let refused = |aggregation: &str| {
        let set = format!("head.aggregation={aggregation}");
        fail(&mut small(&run, &["--set", &set, "--dry-run"]), 2)
    };
    let said = refused(r#"{ tokens = "averge" }"#);
    assert!(said.contains("unknown variant `averge`, expected one of `end-of-turn`, `mean`"), "{said}");
    let said = refused(r#"{ layers = { weighted = [1, 1] } }"#);
    assert!(said.contains("layer 1 is there twice in `layers`"), "{said}");
    let said = refused(r#"{ tokens = { attention = { layers = ["pool"], heads = 7 } } }"#);
    assert!(said.contains("7 attention `heads` do not divide hidden states of size 32"), "{said}");
}
