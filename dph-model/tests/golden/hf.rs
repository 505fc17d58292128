//! Models of Hugging Face transformers.

use burn::tensor::Tensor;
use dph_core::Layer;
use dph_model::{Backbone, Cache};

use crate::model::{devices, rows, values};
use crate::support::{Golden, GoldenTensor, assert_close, number, say};

/// Classes that this crate computes.
const CLASSES: &[&str] = &["LlamaForCausalLM"];

#[test]
fn golden_hf_models() {
    let golden = Golden::open();
    let Some(json) = golden.json("hf/hf.json") else { return };
    for (name, about) in json["models"].as_object().unwrap() {
        let class = about["class"].as_str().unwrap();
        if !CLASSES.contains(&class) {
            say(&format!("{name} is a {class}, which is not supported: left out"));
            continue;
        }
        let weights =
            if about.get("shards").is_some() { "model.safetensors.index.json" } else { "model.safetensors" };
        let path = |file: &str| golden.path(&format!("hf/{name}/{file}"));
        let (Some(_), Some(config), Some(io)) =
            (path(weights), path("config.json"), golden.tensors(&format!("hf/{name}/io.safetensors")))
        else {
            continue;
        };
        let tolerance = match name.ends_with("bf16") {
            true => number(&json["tolerance_bf16_checkpoint"]["logits"]),
            false => number(&json["tolerance_float32"]["logits"]),
        };
        let lengths: Vec<usize> =
            about["lengths"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
        for (way, device) in devices() {
            let what = format!("{name} ({way})");
            let model = Backbone::load(config.parent().unwrap(), &device).unwrap();
            assert_eq!(model.config().param_count() as u64, about["parameters"].as_u64().unwrap(), "{what}");

            let n_layers = model.n_layers();
            // The last of Hugging Face's states is normalised.
            let layers: Vec<_> = (0..n_layers).map(Layer::At).chain([Layer::Last]).collect();
            assert_eq!(layers.len() as u64, about["n_hidden_states"].as_u64().unwrap());
            let states = model.hidden_states(&rows(&io["input_ids"], &lengths), &layers).unwrap();
            for (index, state) in states.iter().enumerate() {
                compare(
                    &format!("{what}: hidden_states.{index}"),
                    state,
                    &io[&format!("hidden_states.{index}")],
                    &lengths,
                    tolerance,
                );
            }
            let logits = model.logits(states.last().unwrap().clone());
            compare(&format!("{what}: logits"), &logits, &io["logits"], &lengths, tolerance);

            let expected: Vec<i32> = io["greedy"].values.iter().map(|&id| id as i32).collect();
            assert_eq!(
                continue_greedily(&model, &expected[..16], expected.len() - 16),
                expected[16..],
                "{what}"
            );
        }
    }
}

/// Compares all but padding.
fn compare(what: &str, actual: &Tensor<3>, expected: &GoldenTensor, lengths: &[usize], tolerance: f64) {
    assert_eq!(actual.dims().to_vec(), expected.shape, "{what}");
    let (seq, width) = (expected.shape[1], expected.shape[2]);
    let actual = values(actual.clone());
    for (row, length) in lengths.iter().enumerate() {
        let range = row * seq * width..(row * seq + length) * width;
        assert_close(what, &actual[range.clone()], &expected.values[range], tolerance, 0.0);
    }
}

fn continue_greedily(model: &Backbone, prompt: &[i32], count: usize) -> Vec<i32> {
    let mut cache = Cache::default();
    let mut fed = prompt.to_vec();
    let mut tokens = Vec::new();
    for _ in 0..count {
        let states = model.extend(&fed, 1, &mut cache, &[Layer::Last]).unwrap().remove(0);
        let last = states.narrow(1, fed.len() - 1, 1);
        let logits = values(model.logits(last));
        let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
        tokens.push(best as i32);
        fed = vec![best as i32];
    }
    tokens
}
