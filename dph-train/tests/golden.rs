//! Compares the optimiser and its schedule with the authors' implementation.
#![allow(clippy::unwrap_used)]

use burn::optim::Optimizer;
use burn::tensor::{Tensor, TensorData};
use dph_core::testing::{Golden, assert_close, device, entries, list, number};
use dph_train::optimiser::{DecayTowards, LaPropConfig, LaPropState};
use dph_train::{Schedule, Shape};

fn numbers(value: &serde_json::Value) -> Vec<f64> {
    list(value).iter().map(number).collect()
}

#[test]
fn golden_optimizer_laprop() {
    let golden = Golden::open();
    let (Some(json), Some(tensors)) =
        (golden.json("optimizer/laprop.json"), golden.tensors("optimizer/laprop.safetensors"))
    else {
        return;
    };
    let device = device();
    let tensor = |name: String| {
        let golden = &tensors[&name];
        let count = golden.values.len();
        Tensor::<1>::from_data(TensorData::new(golden.values.clone(), [count]).convert::<f32>(), &device)
    };
    let values = |tensor: &Tensor<1>| tensor.to_data().iter::<f64>().collect::<Vec<_>>();
    let tolerance = (number(&json["tolerance"]["float32_abs"]), number(&json["tolerance"]["float32_rel"]));
    let steps = json["steps"].as_u64().unwrap();
    for (case, config) in entries(&json["cases"]) {
        let optimiser = LaPropConfig {
            betas: numbers(&config["betas"]).try_into().unwrap(),
            eps: number(&config["eps"]),
            weight_decay: number(&config["weight_decay"]),
            decay_towards: match config["decay_init"] == true {
                true => DecayTowards::Initial,
                false => DecayTowards::Zero,
            },
            amsgrad: config["amsgrad"] == true,
        }
        .build();
        let (rates, average_rates) = (numbers(&config["lr"]), numbers(&config["exp_avg_lr"]));
        for param in entries(&json["shapes"]).keys() {
            let mut weights = tensor(format!("init.{param}"));
            let mut state: Option<LaPropState<1>> = None;
            for step in 0..steps as usize {
                let grad = tensor(format!("grad.{step}.{param}"));
                (weights, state) = optimiser.step(rates[step], weights, grad, state);
                let expected = &tensors[&format!("param.{case}.{step}.{param}")].values;
                let what = format!("{case}, {param} after step {step}");
                assert_close(&what, &values(&weights), expected, tolerance.0, tolerance.1);
                let average = state.as_ref().unwrap().average_lr;
                assert_close(&what, &[average], &[average_rates[step]], 1e-15, 1e-12);
            }
            let state = state.unwrap();
            for (name, actual) in [("exp_avg", &state.momentum), ("exp_avg_sq", &state.squared)] {
                let expected = &tensors[&format!("{name}.{case}.{param}")].values;
                assert_close(
                    &format!("{case} {name} {param}"),
                    &values(actual),
                    expected,
                    tolerance.0,
                    tolerance.1,
                );
            }
        }
    }
}

#[test]
fn golden_optimizer_schedule() {
    let Some(json) = Golden::open().json("optimizer/schedule.json") else { return };
    let tolerance = number(&json["tolerance_rel"]);
    for case in list(&json["cases"]) {
        let config = |name: &str| number(&case["config"][name]);
        let schedule = Schedule {
            warmup: config("lr_warmup_steps") as usize,
            shape: Shape::Cosine,
            floor: config("lr_cooldown_ratio"),
            ..Schedule::default()
        };
        let tokens_per_step = config("batch_size") * config("length_sequence");
        let cooldown = config("lr_cooldown_tokens");
        let last = list(&case["steps"]).iter().filter_map(|step| step.as_u64()).max().unwrap();
        let tokens: Vec<u64> = (0..=last).map(|step| step * tokens_per_step as u64).collect();
        for (step, expected) in list(&case["steps"]).iter().zip(numbers(&case["ratio"])) {
            let what = format!("step {step} of {}", case["config"]);
            let step = step.as_u64().unwrap() as usize;
            let in_steps = schedule.ratio(step, cooldown / tokens_per_step);
            let in_tokens = schedule.ratio_of_tokens(step, &tokens, cooldown as u64);
            assert_close(&what, &[in_steps, in_tokens], &[expected, expected], 1e-15, tolerance);
        }
    }
}
