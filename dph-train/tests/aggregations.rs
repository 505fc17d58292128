//! Training, export and evaluation of heads whose aggregation has parameters.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use dph_core::{HEAD_WEIGHTS_FILE, PreferenceHeadConfig};
use safetensors::SafeTensors;
use support::{fail, small, succeed};

const SEED: u64 = 7;

#[test]
fn aggregations_with_parameters_are_trained_and_evaluated() {
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
        succeed(&mut small(&run, &["--set", &aggregation, "--set", &format!("seed={SEED}")]));
        let trained = run.join("dph");
        let initial = dir.path().join(format!("{index}/initial"));
        write_initial_head(&trained, &initial);
        let (before, after) = (values(&initial, tensor), values(&trained, tensor));
        assert_eq!(before.len(), after.len(), "{tensor}");
        assert!(after.iter().all(|value| value.is_finite()), "{tensor}");
        assert_ne!(before, after, "{tensor} was not trained in {aggregation}");
        let results: serde_json::Value =
            serde_json::from_slice(&std::fs::read(run.join("results.json")).unwrap()).unwrap();
        let rewards = results["results"].as_array().unwrap().iter();
        assert!(rewards.map(|result| &result["scorer"]).any(|scorer| scorer == "reward:preference"));
    }
}

/// The initial head of a stage with `SEED`, for the configuration of a trained head.
fn write_initial_head(trained: &Path, initial: &Path) {
    std::fs::create_dir_all(initial).unwrap();
    let config = PreferenceHeadConfig::load(trained).unwrap();
    let head = config.init(SEED, &dph_core::device("flex").unwrap());
    head.save(&config, initial).unwrap();
}

/// The values of a tensor of the head in a directory.
fn values(dir: &Path, tensor: &str) -> Vec<f32> {
    let bytes = std::fs::read(dir.join(HEAD_WEIGHTS_FILE)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let data = file.tensor(tensor).unwrap_or_else(|error| panic!("{tensor}: {error}")).data();
    data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

#[test]
fn an_invalid_aggregation_is_rejected_before_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let refused = |aggregation: &str| {
        let set = format!("head.aggregation={aggregation}");
        fail(&mut small(&run, &["--set", &set, "--dry-run"]), 2)
    };
    let said = refused(r#"{ tokens = "averge" }"#);
    assert!(said.contains("unknown variant `averge`, expected one of `end-of-turn`, `mean`"), "{said}");
    let said = refused(r#"{ layers = { weighted = [1, 1] } }"#);
    assert!(said.contains("layer 1 occurs twice in `layers`"), "{said}");
    let said = refused(r#"{ tokens = { attention = { layers = ["pool"], heads = 7 } } }"#);
    assert!(said.contains("7 attention `heads` do not divide hidden states of size 32"), "{said}");
}
