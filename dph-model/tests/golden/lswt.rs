//! The paper's model.

use burn::tensor::Tensor;
use dph_core::Layer;
use dph_model::{Backbone, Cache, Family};
use serde_json::Value;

use crate::model::{columns, devices, lswt, rows, values};
use dph_core::testing::{Golden, GoldenTensor, assert_close, entries, number, read_tensors};

/// Runs `check` for every case, on every way to compute.
fn for_every_case(check: impl Fn(&Case)) {
    let golden = Golden::open();
    let Some(json) = golden.json("lswt/lswt.json") else { return };
    for (name, case) in entries(&json["cases"]) {
        let weights = golden.path(&format!("lswt/{name}.weights.safetensors"));
        let io = golden.tensors(&format!("lswt/{name}.io.safetensors"));
        let (Some(weights), Some(io)) = (weights, io) else { continue };
        for (way, device) in devices() {
            let model = lswt(&case["config"], &weights, &device);
            let weights = read_tensors(&weights);
            check(&Case {
                name: format!("{name} ({way})"),
                json: case,
                tolerance: &json["tolerance_float32"],
                model,
                weights: &weights,
                io: &io,
            });
        }
    }
}

struct Case<'a> {
    name: String,
    json: &'a Value,
    tolerance: &'a Value,
    model: Backbone,
    weights: &'a std::collections::BTreeMap<String, GoldenTensor>,
    io: &'a std::collections::BTreeMap<String, GoldenTensor>,
}

impl Case<'_> {
    fn assert_close<const D: usize>(&self, what: &str, kind: &str, actual: Tensor<D>) {
        let expected = &self.io[what];
        assert_eq!(actual.dims().to_vec(), expected.shape, "{}: {what}", self.name);
        let (absolute, relative) = (number(&self.tolerance[kind]), number(&self.tolerance["relative"]));
        let what = format!("{}: {what}", self.name);
        assert_close(&what, &values(actual), &expected.values, absolute, relative);
    }

    fn ids(&self) -> &GoldenTensor {
        &self.io["input_ids"]
    }
}

#[test]
fn golden_lswt_hidden_states_logits_and_rewards() {
    for_every_case(|case| {
        let ids = case.ids();
        // The reference does not mask padding.
        let batch = rows(ids, &vec![ids.shape[1]; ids.shape[0]]);
        let n_layers = case.model.n_layers();
        let layers: Vec<_> = (0..=n_layers).map(Layer::At).chain([Layer::Last]).collect();
        let states = case.model.hidden_states(&batch, &layers).unwrap();
        for (index, state) in states.iter().enumerate() {
            case.assert_close(&format!("hidden_states.{index}"), "hidden_states", state.clone());
        }
        let last = states.last().unwrap().clone();
        case.assert_close("last_hidden_state", "hidden_states", last.clone());
        case.assert_close("logits", "logits", case.model.logits(last.clone()));

        let weight = &case.weights["reward_heads.reward_head.weight"].values;
        let states = values(last);
        let ends = case.json["cls_index"].as_array().unwrap().iter().enumerate();
        let rewards: Vec<f64> = ends
            .map(|(row, end)| {
                let token = row * batch.seq + end.as_u64().unwrap() as usize;
                states[token * weight.len()..].iter().zip(weight).map(|(state, weight)| state * weight).sum()
            })
            .collect();
        let expected = &case.io["reward.reward_head"].values;
        let what = format!("{}: rewards", case.name);
        assert_close(&what, &rewards, expected, number(&case.tolerance["rewards"]), 0.0);
    });
}

#[test]
fn golden_lswt_a_layer_is_the_same_without_those_behind_it() {
    for_every_case(|case| {
        let ids = case.ids();
        let batch = rows(ids, &vec![ids.shape[1]; ids.shape[0]]);
        let states = case.model.hidden_states(&batch, &[Layer::At(1)]).unwrap();
        case.assert_close("hidden_states.1", "hidden_states", states[0].clone());
    });
}

#[test]
fn golden_lswt_rotary_angles() {
    for_every_case(|case| {
        let config = case.model.config();
        let seq = case.io["rope.freqs"].shape[0];
        let positions: Vec<i32> = (0..seq as i32).collect();
        let rotation = config.positions.rotation(&positions, &[seq]);
        let scale = case.io["rope.yarn_scale"].values[0];
        let table: Vec<f64> = rotation
            .entries
            .iter()
            .flat_map(|&entry| &rotation.cos[entry as usize * rotation.half..][..rotation.half])
            .map(|&cos| cos.into())
            .collect();
        let angles = case.io["rope.freqs"].values.chunks(2 * rotation.half);
        let expected: Vec<f64> =
            angles.flat_map(|angles| &angles[..rotation.half]).map(|angle| angle.cos() * scale).collect();
        assert_close(&format!("{}: cosines", case.name), &table, &expected, 2e-6, 0.0);
    });
}

#[test]
fn golden_lswt_cache() {
    for_every_case(|case| {
        let (ids, rows) = (case.ids(), case.ids().shape[0]);
        let mut cache = Cache::default();
        let last = feed(case, 0..ids.shape[1], &mut cache);
        case.assert_close("logits", "cached_vs_whole", case.model.logits(last));
        case.assert_close("past.layer0.key", "hidden_states", cache.keys(0).unwrap());
        case.assert_close("past.layer0.value", "hidden_states", cache.values(0).unwrap());
        assert_eq!((cache.len(), cache.keys(0).unwrap().dims()[0]), (ids.shape[1], rows));
    });
}

#[test]
fn golden_lswt_chunks() {
    for_every_case(|case| {
        let split = case.json["chunk_split"].as_u64().unwrap() as usize;
        let mut cache = Cache::default();
        let first = feed(case, 0..split, &mut cache);
        case.assert_close("chunk.logits_0", "cached_vs_whole", case.model.logits(first));
        case.assert_close("chunk.past.layer1.key", "hidden_states", cache.keys(1).unwrap());
        let second = feed(case, split..case.ids().shape[1], &mut cache);
        case.assert_close("chunk.last_hidden_state_1", "cached_vs_whole", second.clone());
        case.assert_close("chunk.logits_1", "cached_vs_whole", case.model.logits(second));
    });
}

#[test]
fn golden_lswt_single_steps() {
    for_every_case(|case| {
        let seq = case.ids().shape[1];
        let steps = case.io["step.logits"].shape[1];
        let mut cache = Cache::default();
        feed(case, 0..seq - steps, &mut cache);
        let logits = (seq - steps..seq)
            .map(|step| case.model.logits(feed(case, step..step + 1, &mut cache)))
            .collect();
        case.assert_close("step.logits", "cached_vs_whole", Tensor::cat(logits, 1));
    });
}

#[test]
fn golden_lswt_trimmed_cache() {
    for_every_case(|case| {
        let split = case.json["chunk_split"].as_u64().unwrap() as usize;
        let (kept, fed) = (case.io["trim8.past.layer0.key"].shape[2], case.io["trim8.logits_1"].shape[1]);
        let mut cache = Cache::default();
        feed(case, 0..split, &mut cache);
        cache.keep_last(kept);
        let last = feed(case, split..split + fed, &mut cache);
        cache.keep_last(kept);
        case.assert_close("trim8.logits_1", "cached_vs_whole", case.model.logits(last));
        case.assert_close("trim8.past.layer0.key", "hidden_states", cache.keys(0).unwrap());
    });
}

fn feed(case: &Case, range: std::ops::Range<usize>, cache: &mut Cache) -> Tensor<3> {
    let ids = columns(case.ids(), range);
    case.model.extend(&ids, case.ids().shape[0], cache, &[Layer::Last]).unwrap().remove(0)
}

#[test]
fn golden_lswt_parameter_counts() {
    let Some(json) = Golden::open().json("lswt/param_counts_551m.json") else { return };
    let count = |vocab: Option<u64>| {
        let mut config = json["config"].clone();
        config["model_type"] = "lsw_transformer".into();
        if let Some(vocab) = vocab {
            config["vocab_size"] = vocab.into();
        }
        Family::parse(&config.to_string()).unwrap().decoder().unwrap().param_count() as u64
    };
    assert_eq!(count(None), json["causal_lm_total"].as_u64().unwrap());
    assert_eq!(count(Some(50267)), json["causal_lm_total_with_50265_plus_2_rows"].as_u64().unwrap());
}
