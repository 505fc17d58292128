//! The command as people run it.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;

use std::fs;
use std::path::Path;

use command::run;
use dph_model::Backbone;
use serde_json::Value;
use tempfile::TempDir;

use dph_model::testing::gguf::{CONFIG, llama, some_values};

fn place() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let mut writer = llama(some_values);
    writer.text("tokenizer.chat_template", "{{ messages }}");
    fs::write(place.path().join("tiny.gguf"), writer.bytes()).unwrap();
    place
}

#[test]
fn help_texts() {
    for (name, args) in [
        ("help", &["--help"][..]),
        ("help_inspect", &["inspect", "--help"]),
        ("help_convert", &["convert", "--help"]),
    ] {
        insta::assert_snapshot!(name, run(Path::new("."), args).ok());
    }
}

#[test]
fn inspect_says_what_a_model_is() {
    let place = place();
    insta::assert_snapshot!("inspect", run(place.path(), &["inspect", "tiny.gguf"]).ok());
    insta::assert_snapshot!("inspect_json", run(place.path(), &["inspect", "tiny.gguf", "--json"]).ok());
}

#[test]
fn a_configuration_alone_has_family_and_sizes() {
    let place = place();
    let config = CONFIG
        .replace("\"hidden_size\": 8", "\"hidden_size\": 4096")
        .replace("2, \"num_key", "32, \"num_key");
    fs::write(place.path().join("config.json"), config).unwrap();
    let by_file = run(place.path(), &["inspect", "config.json", "--json"]).ok();
    assert_eq!(by_file, run(place.path(), &["inspect", ".", "--json"]).ok());
    let summary: Value = serde_json::from_str(&by_file).unwrap();
    let count = 262 * 4096 + 4096 * 4096 * 2 + 2 * 4096 * 128 + 3 * 12 * 4096 + 3 * 4096;
    assert_eq!(summary["parameters"], count);
    assert_eq!((&summary["weights"], &summary["tokenizer"]), (&Value::Null, &Value::Null));
    assert_eq!(summary["heads"][0], serde_json::json!({ "pooling": "identity", "parameters": 4096 }));
    let text = run(place.path(), &["inspect", "config.json"]).ok();
    assert!(text.contains("weights        none here"), "{text}");
}

#[test]
fn convert_writes_what_loads_again() {
    let place = place();
    let (dir, device) = (place.path(), dph_core::device("flex").unwrap());
    let embedding = |path: &str| -> Vec<f32> {
        let model = Backbone::load(dir.join(path), &device).unwrap();
        model.decoder.embedding.val().into_data().try_to_vec().unwrap()
    };
    let whole = run(dir, &["convert", "tiny.gguf", "whole"]);
    assert_eq!(
        (whole.status, whole.stderr.as_str(), whole.stdout.as_str()),
        (0, "whole: model.safetensors\n", "")
    );
    assert_eq!(embedding("whole"), embedding("tiny.gguf"));
    assert_eq!(run(dir, &["inspect", "whole"]).ok(), run(dir, &["inspect", "tiny.gguf"]).ok());

    run(dir, &["convert", "whole", "half", "--dtype", "bf16", "--shard-size", "1"]).ok();
    let config: Value = serde_json::from_slice(&fs::read(dir.join("half/config.json")).unwrap()).unwrap();
    assert_eq!(config["torch_dtype"], "bfloat16");
    let close = |(a, b): (&f32, &f32)| (a - b).abs() <= a.abs() / 256.0;
    assert!(embedding("half").iter().zip(&embedding("whole")).all(close));
    // Half precision is kept as it is.
    run(dir, &["convert", "half", "again"]).ok();
    assert!(
        fs::read(dir.join("half/model.safetensors")).unwrap()
            == fs::read(dir.join("again/model.safetensors")).unwrap()
    );
}

#[test]
fn wrong_requests_and_broken_models_are_told_apart() {
    let place = place();
    let dir = place.path();
    fs::create_dir(dir.join("full")).unwrap();
    fs::write(dir.join("full/file"), "x").unwrap();
    fs::write(dir.join("broken.gguf"), "GGUF").unwrap();
    let said = run(dir, &["convert", "tiny.gguf", "full"]).failed(2);
    assert!(said.contains("full exists and is not an empty directory"), "{said}");
    let said = run(dir, &["inspect", "nowhere"]).failed(2);
    assert!(
        said.contains("nowhere: there is no such file or directory; a model is a directory with"),
        "{said}"
    );
    let said = run(dir, &["inspect", "full"]).failed(2);
    assert!(said.contains("full/config.json does not exist; every model directory has one"), "{said}");
    fs::write(dir.join("config.json"), "{}").unwrap();
    let said = run(dir, &["inspect", "config.json"]).failed(2);
    assert!(said.contains("config.json: the key `model_type` is missing"), "{said}");
    fs::write(dir.join("config.json"), CONFIG).unwrap();
    fs::write(dir.join("tokenizer.json"), "{").unwrap();
    let said = run(dir, &["inspect", "."]).failed(2);
    assert!(said.contains("tokenizer.json is not a valid file of a tokenizer: EOF while parsing"), "{said}");
    // A file that is one has no files inside.
    let without = |key: &str| {
        fs::write(dir.join("odd.gguf"), llama(some_values).without_key(key).bytes()).unwrap();
        run(dir, &["inspect", "odd.gguf"])
    };
    for key in ["tokenizer.ggml.pre", "tokenizer.ggml.merges", "llama.block_count"] {
        let said = without(key).failed(2);
        assert!(said.contains("odd.gguf: ") && said.contains(key) && !said.contains("odd.gguf/"), "{said}");
        let out = format!("out-{key}");
        let said = run(dir, &["convert", "odd.gguf", &out]).stderr;
        assert!(!dir.join(&out).exists(), "{said}");
        assert!(said.contains("odd.gguf: ") && said.contains(key) && !said.contains("odd.gguf/"), "{said}");
    }
    let heads = llama(some_values).with_value("llama.attention.head_count", 4, &0u32.to_le_bytes());
    fs::write(dir.join("odd.gguf"), heads.bytes()).unwrap();
    let said = run(dir, &["inspect", "odd.gguf"]).failed(2);
    assert!(said.contains("odd.gguf: the number of heads is 0; it must be at least 1"), "{said}");
    let fewer = llama(some_values)
        .with_value("llama.block_count", 4, &1u32.to_le_bytes())
        .without_tensor("output_norm.weight");
    fs::write(dir.join("odd.gguf"), fewer.bytes()).unwrap();
    let said = run(dir, &["convert", "odd.gguf", "fewer"]).failed(1);
    assert!(said.contains("the tensors in odd.gguf do not match its keys"), "{said}");
    let said = run(dir, &["inspect", "broken.gguf"]).failed(1);
    assert!(said.contains("broken.gguf (4 bytes) is truncated or not a GGUF file"), "{said}");
    let said = run(dir, &["convert", "tiny.gguf", "out", "--dtype", "int8"]).failed(2);
    assert!(said.contains("a type of weights is f32, f16 or bf16"), "{said}");
    let said = run(dir, &["convert", "tiny.gguf", "out", "--shard-size", "0"]).failed(2);
    assert!(said.contains("--shard-size"), "{said}");
}

#[test]
fn weights_that_are_no_numbers_need_a_flag() {
    let place = tempfile::tempdir().unwrap();
    let weights = |name: &str, len: usize| {
        let mut values = some_values(name, len);
        values[0] = f32::NAN;
        values
    };
    fs::write(place.path().join("nan.gguf"), llama(weights).bytes()).unwrap();
    let said = run(place.path(), &["convert", "nan.gguf", "out"]).failed(1);
    assert!(said.contains("holds NaN or infinite values"), "{said}");
    run(place.path(), &["convert", "nan.gguf", "out", "--allow-nan"]).ok();
}
