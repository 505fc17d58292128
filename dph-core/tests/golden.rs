//! The method against the numbers of the authors' implementation.
#![allow(clippy::unwrap_used)]

#[path = "support/golden.rs"]
mod golden;

use burn::tensor::{DType, Device, Tensor, TensorData};
use dph_core::*;
use golden::{Golden, GoldenTensor, assert_close, number};
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
fn golden_losses_dph() {
    let golden = Golden::open();
    let (Some(json), Some(tensors)) =
        (golden.json("losses/dph.json"), golden.tensors("losses/dph.safetensors"))
    else {
        return;
    };
    let device = Device::flex().autodiff();
    let tolerance = &json["tolerance"];
    let cases = json["cases"].as_object().unwrap();
    assert!(!cases.is_empty());
    for (name, case) in cases {
        let objective = DphObjective {
            form: if case["contrastive"] == true { DphForm::Contrastive } else { DphForm::Separable },
            label_smoothing: number(&case["epsilon"]),
        };
        for (precision, dtype, absolute, relative) in [
            ("f32", DType::F32, number(&tolerance["float32_abs"]), number(&tolerance["float32_rel"])),
            ("f64", DType::F64, number(&tolerance["float64_abs"]), 0.0),
        ] {
            let input = |side: &str| {
                let golden = &tensors[&format!("dph.{}.{side}_logits", case["inputs"].as_str().unwrap())];
                tensor(golden, [golden.values.len()], dtype, &device).require_grad()
            };
            let (chosen, rejected) = (input("pos"), input("neg"));
            let out = objective.forward(chosen.clone(), rejected.clone());
            let check = |what: &str, actual: Vec<f64>, expected: &[f64]| {
                assert_close(&format!("{name} {precision} {what}"), &actual, expected, absolute, relative);
            };
            let metrics = &case[format!("metrics_{precision}")];
            let metric = |what: &str| [number(&metrics[format!("dph/{what}")])];
            check("loss", values(out.loss.clone()), &[number(&case[format!("loss_{precision}")])]);
            check("chosen", values(out.chosen), &metric("chosen"));
            check("rejected", values(out.rejected), &metric("rejected"));
            check("margin", values(out.margin), &metric("margin"));
            // A share of pairs: the mean of zeros and ones is taken in f32 by either side.
            assert_close(name, &values(out.accuracy), &metric("accuracy"), 1e-7, 0.0);
            let gradients = out.loss.backward();
            for (side, input) in [("pos", &chosen), ("neg", &rejected)] {
                let key = format!("{name}.{precision}.grad.{side}_logits");
                check(side, values(input.grad(&gradients).unwrap()), &tensors[&key].values);
            }
        }
    }
}

#[test]
fn golden_losses_orthogonality() {
    let golden = Golden::open();
    let Some(tensors) = golden.tensors("losses/extended.safetensors") else { return };
    let Some(json) = golden.json("losses/extended.json") else { return };
    let device = Device::flex().autodiff();
    let (absolute, relative) =
        (number(&json["tolerance"]["float32_abs"]), number(&json["tolerance"]["float32_rel"]));
    let mut found = 0;
    for (name, loss) in &tensors {
        let Some(beta) = name.strip_prefix("ortho.beta").and_then(|rest| rest.strip_suffix(".loss")) else {
            continue;
        };
        let matrices: Vec<Tensor<2>> = (1..)
            .map_while(|index| tensors.get(&format!("ortho.W{index}")))
            .map(|matrix| tensor(matrix, matrix.shape[..].try_into().unwrap(), DType::F32, &device))
            .map(Tensor::require_grad)
            .collect();
        let objective = OrthogonalityObjective { beta: beta.parse().unwrap() };
        let out = objective.forward(&matrices, &device);
        assert_close(name, &values(out.clone()), &loss.values, absolute, relative);
        let gradients = out.backward();
        for (index, matrix) in matrices.iter().enumerate() {
            let name = format!("ortho.beta{beta}.grad{}", index + 1);
            let gradient = values(matrix.grad(&gradients).unwrap());
            assert_close(&name, &gradient, &tensors[&name].values, absolute, relative);
        }
        found += 1;
    }
    assert!(found > 0);
}

#[test]
fn golden_lswt_pooler_rewards() {
    let golden = Golden::open();
    let (Some(json), Some(io)) =
        (golden.json("lswt/lswt.json"), golden.tensors("lswt/pooler_rewards.io.safetensors"))
    else {
        return;
    };
    let device = Device::flex();
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
    for (name, pooler) in json["poolers"].as_object().unwrap() {
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
    std::fs::write(dir.join(WEIGHTS_FILE), safetensors::serialize(views, None).unwrap()).unwrap();
    std::fs::write(dir.join(CONFIG_FILE), serde_json::to_vec(config).unwrap()).unwrap();
}

#[test]
fn golden_parameter_counts_of_the_poolers() {
    let golden = Golden::open();
    let Some(counts) = golden.json("lswt/param_counts_551m.json") else { return };
    let size = |name: &str| counts["config"][name].as_u64().unwrap() as usize;
    for (name, added) in counts["added_by_pooler_1head"].as_object().unwrap() {
        let config = PreferenceHeadConfig {
            pooling: serde_json::from_value(Value::String(name.replace('_', "-"))).unwrap(),
            rewards: vec!["reward_head".into()],
            bias: counts["reward_head_bias"] == true,
            ..PreferenceHeadConfig::new(size("d_model"), size("d_ffn"))
        };
        assert_eq!(config.parameters() as u64, added["added"].as_u64().unwrap(), "{name}");
    }
}
