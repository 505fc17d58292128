//! Training heads on adapters and on reward models of other trainers.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use dph_model::checkpoint::{ConvertOptions, convert};
use dph_model::testing::gguf::{D_MODEL, some_values};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use support::{fail, succeed, tiny, train_in};

fn write_adapter(dir: &Path, base: &str) {
    fs::create_dir_all(dir).unwrap();
    let config = json!({"peft_type": "LORA", "base_model_name_or_path": base, "lora_alpha": 8, "r": 2});
    fs::write(dir.join("adapter_config.json"), config.to_string()).unwrap();
    let name = "base_model.model.model.layers.0.self_attn.q_proj";
    let values: Vec<u8> = some_values(name, 2 * D_MODEL).into_iter().flat_map(f32::to_le_bytes).collect();
    let view = |shape: [usize; 2]| TensorView::new(Dtype::F32, shape.into(), &values).unwrap();
    let views = [
        (format!("{name}.lora_A.weight"), view([2, D_MODEL])),
        (format!("{name}.lora_B.weight"), view([D_MODEL, 2])),
    ];
    fs::write(dir.join("adapter_model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn a_head_is_trained_on_an_adapter_and_its_base() {
    let place = tiny("adapter");
    let dir = place.path();
    write_adapter(&dir.join("adapter"), "../tiny.gguf");
    succeed(&mut train_in(dir, "run", &["--dry-run"]));
    succeed(&mut train_in(dir, "run", &[]));
    let reference = fs::read_to_string(dir.join("run/dph/backbone.json")).unwrap();
    assert!(reference.contains("adapter"), "{reference}");

    // The base is elsewhere: the run keeps the merged model.
    write_adapter(&dir.join("adapter"), "gone/model");
    let said = fail(&mut train_in(dir, "other", &[]), 2);
    assert!(said.contains("name the model with --base, or as `base` in `[model]`"), "{said}");
    let with_base = ["--set", "model.base=tiny.gguf"];
    succeed(&mut train_in(dir, "other", &[&with_base[..], &["--dry-run"]].concat()));
    succeed(&mut train_in(dir, "other", &with_base));
    let read = |file: &str| fs::read(dir.join(file)).unwrap();
    assert!(String::from_utf8(read("other/dph/backbone.json")).unwrap().contains("../base"));
    assert!(dir.join("other/base/model.safetensors").is_file());
    succeed(&mut train_in(dir, "other", &[&with_base[..], &["--resume"]].concat()));

    let said = fail(
        &mut train_in(dir, "no", &["--set", "model.base=tiny.gguf", "--set", "model.path=tiny.gguf"]),
        2,
    );
    assert!(said.contains("tiny.gguf is not an adapter of PEFT"), "{said}");
}

#[test]
fn only_heads_are_trained_on_a_reward_model() {
    let place = tiny("adapter");
    let dir = place.path();
    convert(&dir.join("tiny.gguf"), &dir.join("reward"), &ConvertOptions::default()).unwrap();
    let path = dir.join("reward/config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config["architectures"] = json!(["LlamaForSequenceClassification"]);
    config["tie_word_embeddings"] = false.into();
    fs::write(&path, config.to_string()).unwrap();
    let model = ["--set", "model.path=reward"];
    succeed(&mut train_in(dir, "run", &model));
    let results = fs::read_to_string(dir.join("run/results.json")).unwrap();
    assert!(results.contains("reward:preference") && !results.contains("loglik"), "{results}");

    let language = ["--set", "stage.dph.objective={ sft = {} }", "--set", "model.trainable=all"];
    let said = fail(&mut train_in(dir, "no", &[&model[..], &language].concat()), 2);
    assert!(said.contains("`[model] path` is a reward model without an output matrix"), "{said}");
}
