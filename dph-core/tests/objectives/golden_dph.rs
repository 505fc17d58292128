//! The DPH objectives, with and without the penalty of the authors' follow-up code.

use dph_core::*;
use serde_json::Value;

use crate::case::*;
use dph_core::testing::{Golden, number};

#[test]
fn golden_losses_dph() {
    let Some((json, tensors)) = losses("dph") else { return };
    check_cases(&json, &tensors);
}

#[test]
fn golden_losses_dph_penalty() {
    let Some((json, tensors)) = losses("extended") else { return };
    check_cases(&json, &tensors);
}

fn check_cases(json: &Value, tensors: &Tensors) {
    let cases = json["cases"].as_object().unwrap().iter().filter(|(name, _)| name.starts_with("dph."));
    let mut tried = 0;
    for (name, case) in cases {
        let objective = DphObjective {
            form: if case["contrastive"] == true { DphForm::Contrastive } else { DphForm::Separable },
            label_smoothing: number(&case["epsilon"]),
            penalty: case["penalty"].as_f64().unwrap_or(0.0),
            penalised: if case["centered"] == false { Penalised::Sum } else { Penalised::Rewards },
            ..DphObjective::default()
        };
        for precision in Precision::all(json) {
            let inputs = ["pos_logits", "neg_logits"].map(|input| {
                let name = format!("dph.{}.{input}", case["inputs"].as_str().unwrap());
                (input, precision.leaf::<2>(&tensors[&name]))
            });
            let [chosen, rejected] = [&inputs[0].1, &inputs[1].1].map(|leaf| leaf.clone().squeeze_dim(1));
            let term = objective.forward(chosen, rejected);
            let loss = number(&case[format!("loss_{}", precision.name)]);
            precision.check(&format!("{name} loss"), term.loss.clone(), &[loss]);
            precision.check_term(name, case, &term, &[]);
            let gradients = term.loss.backward();
            for (input, leaf) in &inputs {
                precision.check_gradient(name, input, leaf, &gradients, tensors);
            }
        }
        tried += 1;
    }
    if tried == 0 {
        Golden::open().lacks("cases of the DPH objectives");
    }
}
