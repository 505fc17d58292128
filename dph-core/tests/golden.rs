//! The method against the numbers of the authors' implementation.
#![allow(clippy::unwrap_used)]

use burn::tensor::{DType, Device, Tensor, TensorData};
use dph_core::testing::{Golden, GoldenTensor, assert_close, device, entries, number};
use dph_core::*;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

fn tensor<const D: usize>(
    golden: &GoldenTensor,
    shape: [usize; D],
    dtype: DType,
    device: &Device,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(golden.values.clone(), shape), (device, dtype))
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

#[test]
fn golden_lswt_pooler_rewards() {
    let golden = Golden::open();
    let (Some(json), Some(io)) =
        (golden.json("lswt/lswt.json"), golden.tensors("lswt/pooler_rewards.io.safetensors"))
    else {
        return;
    };
    let device = device();
    let base = &json["cases"]["base"];
    let last = &io["last_hidden_state"];
    let [rows, seq, d_model] = last.shape[..].try_into().unwrap();
    let states: Tensor<3> = tensor(last, [rows, seq, d_model], DType::F32, &device);
    let ends: Vec<usize> =
        base["cls_index"].as_array().unwrap().iter().map(|end| end.as_u64().unwrap() as usize).collect();
    let batch = Batch {
        rows,
        seq,
        ends: ends.iter().enumerate().map(|(row, end)| row * seq + end).collect(),
        ..Batch::default()
    };
    let sequences = aggregation::Sequences { last: ends, ..aggregation::Sequences::padding(rows, seq) };
    let limit = number(&json["tolerance_float32"]["rewards"]);
    for (name, pooler) in entries(&json["poolers"]) {
        let file = format!("lswt/pooler_{name}.weights.safetensors");
        let Some(weights) = golden.tensors(&file) else { continue };
        let config = PreferenceHeadConfig {
            d_ffn: base["config"]["d_ffn"].as_u64().unwrap() as usize,
            pooling: serde_json::from_value(Value::String(
                pooler["reward_pooler"].as_str().unwrap().replace('_', "-"),
            ))
            .unwrap(),
            dropout: 0.5,
            rewards: serde_json::from_value(pooler["reward_heads"].clone()).unwrap(),
            ..PreferenceHeadConfig::new(d_model, 0)
        };
        let dir = tempfile::tempdir().unwrap();
        write_head(&config, &weights, dir.path());
        let (head, loaded) = PreferenceHead::load(dir.path(), &device).unwrap();
        assert_eq!(loaded, config);
        let states = [states.clone()];
        let rewards = values(head.forward_batch(&states, &batch).transpose());
        let expected: Vec<f64> =
            config.rewards.iter().flat_map(|head| io[&format!("{name}.{head}")].values.clone()).collect();
        assert_close(name, &rewards, &expected, limit, 0.0);

        let everywhere = head.forward_tokens(&states, &sequences);
        let heads = config.rewards.len();
        let picked = values(sequences.select_last(everywhere).transpose());
        assert_eq!(picked.len(), rows * heads);
        assert_close(&format!("{name} token by token"), &picked, &expected, limit, 0.0);
    }
}

/// Writes the authors' weights, which are named by their place in a pipeline, as a head of ours.
fn write_head(
    config: &PreferenceHeadConfig,
    weights: &std::collections::BTreeMap<String, GoldenTensor>,
    dir: &std::path::Path,
) {
    let ours = |name: &str| match (config.pooling, &name.split('.').collect::<Vec<_>>()[..]) {
        (PoolingKind::Bert | PoolingKind::T5, ["pooler_pipeline", _, kind]) => {
            format!("pooling.dense.{kind}")
        }
        (_, ["pooler_pipeline", "0" | "1", kind]) => format!("pooling.up_gate.{kind}"),
        (_, ["pooler_pipeline", _, kind]) => format!("pooling.down.{kind}"),
        _ => name.to_string(),
    };
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = weights
        .iter()
        .map(|(name, tensor)| {
            let bytes = tensor.values.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect();
            (ours(name), tensor.shape.clone(), bytes)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    std::fs::write(dir.join(HEAD_WEIGHTS_FILE), safetensors::serialize(views, None).unwrap()).unwrap();
    std::fs::write(dir.join(HEAD_CONFIG_FILE), serde_json::to_vec(config).unwrap()).unwrap();
}

#[test]
fn golden_parameter_counts_of_the_poolers() {
    let golden = Golden::open();
    let Some(counts) = golden.json("lswt/param_counts_551m.json") else { return };
    let size = |name: &str| counts["config"][name].as_u64().unwrap() as usize;
    for (name, added) in entries(&counts["added_by_pooler_1head"]) {
        let config = PreferenceHeadConfig {
            pooling: serde_json::from_value(Value::String(name.replace('_', "-"))).unwrap(),
            rewards: vec!["reward_head".into()],
            bias: counts["reward_head_bias"] == true,
            ..PreferenceHeadConfig::new(size("d_model"), size("d_ffn"))
        };
        assert_eq!(config.parameters() as u64, added["added"].as_u64().unwrap(), "{name}");
    }
}
