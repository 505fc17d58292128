//! The objectives as keys of an experiment file.

use dph_core::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn check<T: DeserializeOwned + Serialize + Default + PartialEq + std::fmt::Debug>(defaults: Value) {
    assert_eq!(serde_json::from_value::<T>(json!({})).unwrap(), T::default());
    assert_eq!(serde_json::to_value(T::default()).unwrap(), defaults);
    assert_eq!(serde_json::from_value::<T>(defaults).unwrap(), T::default());
    let error = serde_json::from_value::<T>(json!({ "wieght": 1.0 })).unwrap_err().to_string();
    assert!(error.contains("unknown field `wieght`"), "{error}");
}

#[test]
fn every_key_has_a_default_and_others_are_refused() {
    check::<DphObjective>(json!({
        "weight": 1.0, "form": "separable", "label_smoothing": 0.1, "penalty": 0.0, "penalised": "rewards"
    }));
    check::<DpoObjective>(json!({ "weight": 1.0, "beta": 0.1, "label_smoothing": 0.1, "log_probs": "sum" }));
    check::<OrpoObjective>(json!({ "weight": 1.0, "odds_ratio": 0.25, "likelihood": 1.0 }));
    check::<KlObjective>(json!({ "weight": 0.2, "chosen_share": 0.5 }));
    check::<SftObjective>(json!({ "weight": 1.0 }));
    check::<SimctgObjective>(json!({ "weight": 1.0, "margin": 0.5 }));
    check::<SteerObjective>(json!({ "weight": 1.0 }));
    check::<OrthogonalityObjective>(json!({ "weight": 0.01 }));
}

#[test]
fn names_are_written_in_kebab_case() {
    for (text, objective) in [
        (json!({ "form": "contrastive" }), DphObjective { form: DphForm::Contrastive, ..Default::default() }),
        (json!({ "form": "listwise" }), DphObjective { form: DphForm::Listwise, ..Default::default() }),
        (json!({ "penalised": "sum" }), DphObjective { penalised: Penalised::Sum, ..Default::default() }),
    ] {
        assert_eq!(serde_json::from_value::<DphObjective>(text).unwrap(), objective);
    }
    let mean: DpoObjective = serde_json::from_value(json!({ "log_probs": "mean" })).unwrap();
    assert_eq!(mean.log_probs, SequenceReduction::Mean);
}
