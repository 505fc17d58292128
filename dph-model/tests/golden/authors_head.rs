//! Checkpoints of the paper's authors: language model, pooling and reward heads in one file.

use std::collections::BTreeMap;
use std::path::Path;

use dph_core::{Batch, Layer, PreferenceHead};
use dph_model::{Backbone, authors_head};
use half::f16;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

use crate::model::{devices, rows, tensors_as_stored, values};
use dph_core::testing::{Golden, GoldenTensor, assert_close, entries, number};

/// How far rewards may be off with weights rounded to f16, whose last bit is 5e-4 of a value.
const F16_TOLERANCE: f64 = 2e-2;

#[test]
fn golden_authors_checkpoints_are_model_and_head() {
    let golden = Golden::open();
    let (Some(json), Some(io), Some(base)) = (
        golden.json("lswt/lswt.json"),
        golden.tensors("lswt/pooler_rewards.io.safetensors"),
        golden.path("lswt/base.weights.safetensors"),
    ) else {
        return;
    };
    let limit = number(&json["tolerance_float32"]["rewards"]);
    for (name, pooler) in entries(&json["poolers"]) {
        let Some(weights) = golden.path(&format!("lswt/pooler_{name}.weights.safetensors")) else { continue };
        for (dtype, tolerance) in [(Dtype::F32, limit), (Dtype::F16, F16_TOLERANCE)] {
            let dir = tempfile::tempdir().unwrap();
            write_checkpoint(dir.path(), &json["cases"]["base"]["config"], pooler, [&base, &weights], dtype);
            for (way, device) in devices() {
                let what = format!("{name}, {dtype:?} ({way})");
                let model = Backbone::load(dir.path(), &device).unwrap();
                let (head, config) = authors_head(dir.path(), &device).unwrap().unwrap();
                assert_eq!(serde_json::json!(config.rewards), pooler["reward_heads"], "{what}");
                let batch = batch(&json, &io["input_ids"]);
                let last = model.hidden_states(&batch, &[Layer::Last]).unwrap();
                let rewards = values(head.forward_batch(&last, &batch).transpose());
                let expected: Vec<f64> = config
                    .rewards
                    .iter()
                    .flat_map(|reward| io[&format!("{name}.{reward}")].values.clone())
                    .collect();
                assert_close(&what, &rewards, &expected, tolerance, 0.0);

                // The same in our layout.
                head.save(&config, dir.path()).unwrap();
                let (again, loaded) = PreferenceHead::load(dir.path(), &device).unwrap();
                assert_eq!(loaded, config);
                assert_eq!(values(again.forward_batch(&last, &batch).transpose()), rewards, "{what}");
            }
        }
    }
}

/// The sequences of the case, each with its pooled token.
fn batch(json: &Value, ids: &GoldenTensor) -> Batch {
    let ends = json["cases"]["base"]["cls_index"].as_array().unwrap().iter().map(|end| end.as_u64().unwrap());
    let batch = rows(ids, &vec![ids.shape[1]; ids.shape[0]]);
    let (rows, seq) = (0..batch.rows, batch.seq);
    Batch { ends: rows.zip(ends).map(|(row, end)| row * seq + end as usize).collect(), ..batch }
}

/// A model directory as the authors write it.
fn write_checkpoint(dir: &Path, config: &Value, pooler: &Value, files: [&Path; 2], dtype: Dtype) {
    let mut config = config.clone();
    config["model_type"] = "lsw_transformer".into();
    config["reward_pooler"] = pooler["reward_pooler"].clone();
    config["reward_heads"] = pooler["reward_heads"].clone();
    std::fs::write(dir.join("config.json"), config.to_string()).unwrap();
    let mut tensors = BTreeMap::new();
    for file in files {
        // The base case has an identity head of its own.
        tensors.retain(|name: &String, _| !name.starts_with("reward_heads."));
        tensors.extend(tensors_as_stored(file));
    }
    if dtype == Dtype::F16 {
        for (_, _, bytes) in tensors.values_mut() {
            let values = bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
            *bytes = values.flat_map(|x| f16::from_f32(x).to_le_bytes()).collect();
        }
    }
    let views = tensors
        .iter()
        .map(|(name, (_, shape, bytes))| (name, TensorView::new(dtype, shape.clone(), bytes).unwrap()));
    std::fs::write(dir.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}
