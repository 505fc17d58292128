//! Files of `torch.save`, which are programs that nobody runs here.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use dph_model::checkpoint::{ConvertOptions, convert};
use dph_model::{Backbone, content_hash};
use tempfile::TempDir;

use dph_model::testing::gguf::{self, CONFIG, renamed, some_values, tensors};
use dph_model::testing::pickle;

fn state_dict() -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let tensors = tensors().into_iter().map(|(name, shape)| {
        let (name, len) = (renamed(name), shape.iter().product());
        let values = some_values(&name, len);
        (name, shape, values)
    });
    tensors.collect()
}

fn directory(files: &[(&str, Vec<u8>)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.json"), CONFIG).unwrap();
    for (name, bytes) in files {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

fn embedding(dir: &Path) -> Vec<f32> {
    let model = Backbone::load(dir, &dph_core::device("flex").unwrap()).unwrap();
    model.decoder.embedding.val().into_data().try_to_vec().unwrap()
}

fn error(dir: &Path) -> String {
    Backbone::load(dir, &dph_core::device("flex").unwrap()).unwrap_err().to_string()
}

#[test]
fn a_model_loads_whole_and_in_shards() {
    let all = state_dict();
    let expected = some_values("model.embed_tokens.weight", gguf::VOCAB * gguf::D_MODEL);
    let whole = directory(&[("pytorch_model.bin", pickle::saved(&all))]);
    assert_eq!(embedding(whole.path()), expected);

    let (first, second) = all.split_at(4);
    let map: serde_json::Map<String, serde_json::Value> = all
        .iter()
        .enumerate()
        .map(|(index, (name, ..))| {
            let file = if index < 4 {
                "pytorch_model-00001-of-00002.bin"
            } else {
                "pytorch_model-00002-of-00002.bin"
            };
            (name.clone(), file.into())
        })
        .collect();
    let index = serde_json::json!({ "metadata": {}, "weight_map": map }).to_string();
    let sharded = directory(&[
        ("pytorch_model-00001-of-00002.bin", pickle::saved(first)),
        ("pytorch_model-00002-of-00002.bin", pickle::saved(second)),
        ("pytorch_model.bin.index.json", index.into_bytes()),
    ]);
    assert_eq!(embedding(sharded.path()), expected);

    let out = sharded.path().join("out");
    convert(sharded.path(), &out, &ConvertOptions::default()).unwrap();
    assert_eq!(embedding(&out), expected);

    fs::remove_file(sharded.path().join("pytorch_model-00002-of-00002.bin")).unwrap();
    assert!(error(sharded.path()).contains("pytorch_model.bin.index.json names it; fetch the missing shard"));
}

#[test]
fn a_hash_counts_the_file() {
    let dir = directory(&[("pytorch_model.bin", pickle::saved(&state_dict()))]);
    let hash = content_hash(dir.path()).unwrap();
    let mut other = state_dict();
    other[0].2[0] += 1.0;
    fs::write(dir.path().join("pytorch_model.bin"), pickle::saved(&other)).unwrap();
    assert_ne!(content_hash(dir.path()).unwrap(), hash);
}

#[test]
fn safetensors_go_before_pickles() {
    let dir = directory(&[("pytorch_model.bin", b"not one".to_vec())]);
    let whole = directory(&[("pytorch_model.bin", pickle::saved(&state_dict()))]);
    convert(whole.path(), &dir.path().join("out"), &ConvertOptions::default()).unwrap();
    fs::copy(dir.path().join("out/model.safetensors"), dir.path().join("model.safetensors")).unwrap();
    assert_eq!(embedding(dir.path()), embedding(whole.path()));
}

#[test]
fn what_wants_to_be_called_is_named_and_not_called() {
    let place = tempfile::tempdir().unwrap();
    let victim = place.path().join("victim");
    let command = format!("touch {}", victim.display());
    let refused = |pickle: &[u8], callable: &str| {
        for bytes in [pickle::archive(pickle, &[]), pickle.to_vec()] {
            let dir = directory(&[("pytorch_model.bin", bytes)]);
            let said = error(dir.path());
            assert!(said.contains("pytorch_model.bin") && said.contains(callable), "{said}");
            assert!(!victim.exists());
        }
    };
    // As a value of the dictionary, in a list in it, as a key's neighbour, and in place of the dictionary.
    let call = pickle::call("posix", "system", &command);
    let value = [b"\x80\x02}".to_vec(), pickle::text("a"), call.clone(), b"s.".to_vec()].concat();
    refused(&value, "this file calls posix.system");
    let listed =
        [b"\x80\x02}".to_vec(), pickle::text("a"), b"]".to_vec(), call.clone(), b"as.".to_vec()].concat();
    refused(&listed, "this file calls posix.system");
    let root = [b"\x80\x02".to_vec(), call, b".".to_vec()].concat();
    refused(&root, "posix.system");
    let eval = pickle::call("builtins", "eval", "__import__('os').abort()");
    refused(&[b"\x80\x02}".to_vec(), pickle::text("a"), eval, b"s.".to_vec()].concat(), "builtins.eval");
}
