//! The objectives on hidden states and weights: steering, SimCTG, orthogonality.

use burn::tensor::{Tensor, activation};
use dph_core::*;
use serde_json::Value;

use crate::case::*;
use dph_core::testing::{Golden, number};

#[test]
fn golden_losses_steer() {
    let Some((json, tensors)) = losses("extended") else { return };
    let cases = json["cases"].as_object().unwrap().iter().filter(|(name, _)| name.starts_with("steer."));
    let mut tried = 0;
    for (name, case) in cases {
        check_steer(name, case, &Precision::single(&json), &tensors);
        tried += 1;
    }
    if tried == 0 {
        Golden::open().lacks("cases of the steering objective");
    }
}

fn check_steer(name: &str, case: &Value, precision: &Precision, tensors: &Tensors) {
    let keys: Vec<&str> =
        case["label_keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    let states: Tensor<3> = precision.leaf(&tensors["steer.states"]);
    let [rows, seq, d_model] = states.dims();
    let heads = keys.iter().map(|key| {
        let part = |part: &str| &tensors[&format!("steer.head.{key}.{part}")];
        (precision.leaf::<2>(part("weight")), precision.leaf::<1>(part("bias")))
    });
    let heads: Vec<_> = heads.collect();

    let selected = &tensors["steer.selected_idx"];
    let (per_row, positions) = (selected.shape[1], selected.values.len());
    let sequences: Vec<usize> = (0..positions).map(|position| position / per_row).collect();
    let flat = sequences.iter().zip(&selected.values).map(|(row, column)| row * seq + *column as usize);
    let at = select_rows(states.clone().reshape([rows * seq, d_model]), flat);
    let rewards = heads
        .iter()
        .map(|(weight, bias)| at.clone().matmul(weight.clone().transpose()) + bias.clone().reshape([1, 1]));
    let batch = SteerBatch {
        rewards: Tensor::cat(rewards.collect(), 1),
        weights: precision.leaf::<2>(&tensors["steer.selected_weights"]).reshape([positions]),
        sequences,
        labels: precision.leaf(&tensors["steer.y_true"]),
    };
    let SteerLoss { term, attributes } =
        SteerObjective { weight: number(&case["dph_weight"]), ..SteerObjective::default() }.forward(batch);
    precision.check(&format!("{name} loss"), term.loss.clone(), &[number(&case["losses"]["loss_reward"])]);
    let expected: Vec<f64> =
        keys.iter().map(|key| number(&case["metrics"][format!("reward/{key}")])).collect();
    precision.check(&format!("{name} attributes"), attributes, &expected);

    let mut terms = vec![term];
    let mut policy = None;
    if case["kl_enabled"] == true {
        let logits: Tensor<3> = precision.leaf(&tensors["steer.policy_logits"]);
        let reference: Tensor<3> = precision.leaf(&tensors["steer.reference_logits"]);
        let targets = targets(&tensors["steer.targets"]);
        let distributions = |logits: &Tensor<3>| activation::log_softmax(logits_at(logits, &targets), 1);
        let by_token = KlObjective::divergence(distributions(&logits), distributions(&reference).detach());
        let by_answer = SequenceReduction::Sum.by_candidate(by_token, &targets, rows);
        // One answer a row: its divergence stands on both sides.
        let weight = number(&case["kl_weight"]) * number(&case["kl_penalty"]);
        let kl = KlObjective { weight, chosen_share: 1.0 }.forward(by_answer.clone(), by_answer);
        precision.check(&format!("{name} kl"), kl.loss.clone(), &[number(&case["metrics"]["kl/div"])]);
        terms.push(kl);
        policy = Some(logits);
    }
    let total = Term::total(&terms).unwrap() / number(&case["batch_groups"]);
    precision.check(name, total.clone(), &tensors[&format!("{name}.accumulated_loss")].values);

    let gradients = total.backward();
    let expected = |input: &str| &tensors[&format!("{name}.grad.{input}")].values[..];
    precision.check(name, states.grad(&gradients).unwrap(), expected("states"));
    if let Some(policy) = policy {
        precision.check(name, policy.grad(&gradients).unwrap(), expected("policy_logits"));
    }
    for (key, (weight, bias)) in keys.iter().zip(&heads) {
        precision.check(name, weight.grad(&gradients).unwrap(), expected(&format!("head.{key}.weight")));
        precision.check(name, bias.grad(&gradients).unwrap(), expected(&format!("head.{key}.bias")));
    }
}

#[test]
fn golden_losses_simctg() {
    let Some((json, tensors)) = losses("dpo") else { return };
    let Some(hidden) = tensors.get("simctg.hidden_states") else {
        return Golden::open().lacks("the contrastive term of SimCTG");
    };
    let precision = Precision::single(&json);
    let states: Tensor<3> = precision.leaf(hidden);
    let ids: Tensor<2> = precision.leaf(&tensors["simctg.input_ids"]);
    let tokens = ids.not_equal_elem(number(&json["simctg"]["pad_token_id"]));
    let margin = number(&json["simctg"]["margin"]);
    let term = SimctgObjective { margin, ..SimctgObjective::default() }.forward(states.clone(), tokens);
    precision.check("simctg", term.loss.clone(), &tensors["simctg.cl_loss"].values);
    let gradients = term.loss.backward();
    let expected = &tensors["simctg.grad.hidden_states"].values;
    precision.check("simctg, gradient", states.grad(&gradients).unwrap(), expected);
}

#[test]
fn golden_losses_orthogonality() {
    let Some((json, tensors)) = losses("extended") else { return };
    let precision = Precision::single(&json);
    let mut tried = 0;
    for name in tensors.keys().filter_map(|name| name.strip_suffix(".loss")) {
        let Some(beta) = name.strip_prefix("ortho.beta") else { continue };
        let matrices = ["ortho.W1", "ortho.W2"].map(|name| precision.leaf::<2>(&tensors[name]));
        let objective = OrthogonalityObjective { weight: beta.parse().unwrap() };
        let total = Term::total(&[objective.forward(matrices.clone()).unwrap()]).unwrap();
        precision.check(name, total.clone(), &tensors[&format!("{name}.loss")].values);
        let gradients = total.backward();
        for (index, matrix) in matrices.iter().enumerate() {
            let expected = &tensors[&format!("{name}.grad{}", index + 1)].values;
            precision.check(name, matrix.grad(&gradients).unwrap(), expected);
        }
        tried += 1;
    }
    if tried == 0 {
        Golden::open().lacks("the orthogonality regulariser");
    }
}
