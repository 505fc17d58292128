//! Model directories: what is read, what is written, and what is said when something is wrong.

#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::tensor::Device;
use dph_core::{Batch, CandidateSet, Layer, TargetTokens};
use dph_model::checkpoint::{CheckpointError, ConvertOptions, convert};
use dph_model::{Backbone, ModelFiles, content_hash};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};
use tempfile::TempDir;

fn flex() -> Device {
    dph_core::device("flex").unwrap()
}

fn llama() -> Value {
    json!({
        "model_type": "llama", "vocab_size": 20, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": true, "pad_token_id": 3,
        "unknown_key": {"kept": true}, "torch_dtype": "float16",
    })
}

fn lswt() -> Value {
    json!({
        "model_type": "lsw_transformer", "vocab_size": 20, "d_vocab": 6, "d_model": 8, "d_ffn": 12, "n_heads": 2,
        "n_layers": 2, "n_registers": 2, "qk_norm": true, "rope_positions": 32,
    })
}

/// A directory with a model of random weights.
fn saved(config: &Value) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    Backbone::init(&config.to_string(), 7, &flex()).unwrap().save(dir.path()).unwrap();
    dir
}

/// Tensors by name: type, shape, bytes.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn read(path: &Path) -> Tensors {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter()
        .map(|(name, view)| (name.to_string(), (view.dtype(), view.shape().to_vec(), view.data().to_vec())))
        .collect()
}

fn write(path: &Path, tensors: &Tensors) {
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, bytes))| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// Changes the weights file of a fresh model.
fn changed(config: &Value, change: impl FnOnce(&mut Tensors)) -> TempDir {
    let dir = saved(config);
    let path = dir.path().join("model.safetensors");
    let mut tensors = read(&path);
    change(&mut tensors);
    write(&path, &tensors);
    dir
}

fn error(dir: &Path) -> String {
    Backbone::load(dir, &flex()).unwrap_err().to_string()
}

fn states(model: &Backbone) -> Vec<f32> {
    let set = CandidateSet { prompt: vec![1, 2, 3, 4], ..CandidateSet::default() };
    let batch = Batch::pack([&set], TargetTokens::None, 0);
    let last = model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0);
    last.into_data().try_to_vec().unwrap()
}

#[test]
fn what_is_saved_loads_to_the_same_bits() {
    for config in [llama(), lswt()] {
        let first = saved(&config);
        let model = Backbone::load(first.path(), &flex()).unwrap();
        assert_eq!(states(&model), states(&Backbone::init(&config.to_string(), 7, &flex()).unwrap()));
        let second = tempfile::tempdir().unwrap();
        model.save(second.path().join("new/folder")).unwrap();
        for file in ["model.safetensors", "config.json"] {
            let again = fs::read(second.path().join("new/folder").join(file)).unwrap();
            assert!(fs::read(first.path().join(file)).unwrap() == again, "{file}");
        }
        assert_eq!(fs::read_dir(first.path()).unwrap().count(), 2, "temporary files are left");
    }
}

#[test]
fn a_configuration_keeps_its_keys_and_says_that_weights_are_f32() {
    let dir = saved(&llama());
    let config: Value = serde_json::from_slice(&fs::read(dir.path().join("config.json")).unwrap()).unwrap();
    let mut expected = llama();
    expected["torch_dtype"] = "float32".into();
    assert_eq!(config, expected);
    assert_eq!(Backbone::load(dir.path(), &flex()).unwrap().pad_token(), 3);
}

#[test]
fn names_are_those_of_the_families() {
    let names = |config: Value| -> Vec<String> {
        read(&saved(&config).path().join("model.safetensors")).into_keys().collect()
    };
    let llama = names(llama());
    assert_eq!(llama.len(), 2 + 2 * 9);
    assert!(llama.contains(&"model.layers.1.self_attn.k_proj.weight".into()));
    let lswt = names(lswt());
    assert!(lswt.contains(&"model.blocks.1.att.registers_k".into()));
    assert!(lswt.contains(&"model.input_embedding.embedding.weight".into()));
}

#[test]
fn half_precision_is_widened() {
    let exact = |value: f32| f32::from_bits(value.to_bits() & 0xffff_0000);
    let narrow = |dtype: Dtype| {
        changed(&llama(), |tensors| {
            for (kind, _, bytes) in tensors.values_mut() {
                let values = bytes.chunks(4).map(|b| exact(f32::from_le_bytes(b.try_into().unwrap())));
                *bytes = match dtype {
                    Dtype::F16 => values.flat_map(|x| half::f16::from_f32(x).to_le_bytes()).collect(),
                    Dtype::BF16 => values.flat_map(|x| half::bf16::from_f32(x).to_le_bytes()).collect(),
                    _ => values.flat_map(f32::to_le_bytes).collect(),
                };
                *kind = dtype;
            }
        })
    };
    let load = |dtype| states(&Backbone::load(narrow(dtype).path(), &flex()).unwrap());
    assert_eq!(load(Dtype::BF16), load(Dtype::F32));
    let close = load(Dtype::F16).iter().zip(load(Dtype::F32)).all(|(a, b)| (a - b).abs() < 1e-3);
    assert!(close);
}

#[test]
fn everything_that_does_not_fit_is_named_at_once() {
    let dir = changed(&llama(), |tensors| {
        let moved = tensors.remove("model.layers.0.mlp.up_proj.weight").unwrap();
        tensors.insert("model.layers.0.mlp.upproj.weight".into(), moved);
        tensors.remove("model.norm.weight");
        tensors.get_mut("model.embed_tokens.weight").unwrap().1 = vec![8, 20];
        let norm = tensors.get_mut("model.layers.1.input_layernorm.weight").unwrap();
        (norm.0, norm.2) = (Dtype::I32, vec![0; 32]);
    });
    let text = error(dir.path());
    let parts = [
        "2 missing:",
        "model.layers.0.mlp.up_proj.weight (did you mean model.layers.0.mlp.upproj.weight?)",
        "model.norm.weight",
        "1 superfluous:",
        "model.embed_tokens.weight has shape [8, 20], the configuration asks for [20, 8]",
        "model.layers.1.input_layernorm.weight (I32)",
    ];
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert!(text.contains(&dir.path().display().to_string()));
}

#[test]
fn names_behind_a_prefix_are_one_fault() {
    let dir = changed(&llama(), |tensors| {
        *tensors = std::mem::take(tensors)
            .into_iter()
            .map(|(name, tensor)| (format!("module.{name}"), tensor))
            .collect();
    });
    let text = error(dir.path());
    assert!(text.contains("all names begin with `module.`, as those of a wrapper"), "{text}");
    assert!(!text.contains("missing") && !text.contains("did you mean"), "{text}");
}

#[test]
fn a_reward_layer_of_another_name_is_no_output_matrix() {
    let mut config = llama();
    config["tie_word_embeddings"] = false.into();
    let dir = changed(&config, |tensors| {
        let (kind, shape, bytes) = tensors.remove("lm_head.weight").unwrap();
        let (width, row) = (shape[1], bytes[..shape[1] * 4].to_vec());
        tensors.insert("reward_head.weight".into(), (kind, vec![1, width], row));
    });
    let text = error(dir.path());
    assert!(
        text.contains("reward_head.weight may be a reward layer under a name that is not known"),
        "{text}"
    );
    assert!(!text.contains("did you mean"), "{text}");
}

#[test]
fn of_many_misfits_ten_are_shown() {
    let dir = saved(&llama());
    let mut config = llama();
    config["num_hidden_layers"] = 4.into();
    fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    let text = error(dir.path());
    assert!(text.contains("18 missing:") && text.contains("and 8 more"), "{text}");
    match Backbone::load(dir.path(), &flex()).unwrap_err() {
        CheckpointError::Misfit { misfit, .. } => assert_eq!(misfit.missing.len(), 18),
        other => panic!("{other}"),
    }
}

#[test]
fn harmless_tensors_are_accepted() {
    let dir = changed(&llama(), |tensors| {
        let embedding = tensors["model.embed_tokens.weight"].clone();
        tensors.insert("lm_head.weight".into(), embedding);
        tensors
            .insert("model.layers.0.self_attn.rotary_emb.inv_freq".into(), (Dtype::F32, vec![1], vec![0; 4]));
    });
    Backbone::load(dir.path(), &flex()).unwrap();
    let dir = changed(&lswt(), |tensors| {
        tensors.insert("reward_heads.helpfulness.weight".into(), (Dtype::F32, vec![1, 8], vec![0; 32]));
        tensors.insert("pooler_pipeline.0.weight".into(), (Dtype::F32, vec![1], vec![0; 4]));
    });
    Backbone::load(dir.path(), &flex()).unwrap();
}

#[test]
fn a_second_output_matrix_that_differs_is_superfluous() {
    let dir = changed(&llama(), |tensors| {
        let mut head = tensors["model.embed_tokens.weight"].clone();
        head.2[0] ^= 1;
        tensors.insert("lm_head.weight".into(), head);
    });
    assert!(error(dir.path()).contains("1 superfluous:\n    lm_head.weight"));
}

#[test]
fn files_cut_short_or_changed_are_named_with_a_remedy() {
    let path = |dir: &TempDir| dir.path().join("model.safetensors");
    type Damage = fn(Vec<u8>) -> Vec<u8>;
    let damages: [(&str, Damage); 6] = [
        ("the end is missing", |mut bytes| {
            bytes.truncate(bytes.len() - 5);
            bytes
        }),
        ("only the header", |bytes| bytes[..100].to_vec()),
        ("nothing", |_| Vec::new()),
        ("something else", |_| b"<html>not found</html>".to_vec()),
        ("a header without end", |mut bytes| {
            bytes[..8].fill(0xff);
            bytes
        }),
        ("a broken header", |mut bytes| {
            bytes[8] = b'[';
            bytes
        }),
    ];
    for (what, damage) in damages {
        let dir = saved(&llama());
        fs::write(path(&dir), damage(fs::read(path(&dir)).unwrap())).unwrap();
        let text = error(dir.path());
        assert!(
            text.contains("model.safetensors") && text.contains("fetch or copy it again"),
            "{what}: {text}"
        );
    }
}

#[test]
fn missing_files_are_named_with_a_remedy() {
    assert!(
        error(Path::new("/no/such/model"))
            .contains("/no/such/model: there is no such file or directory; a model is")
    );
    let dir = tempfile::tempdir().unwrap();
    assert!(error(dir.path()).contains("config.json does not exist; every model directory has one"));
    fs::write(dir.path().join("config.json"), llama().to_string()).unwrap();
    assert!(error(dir.path()).contains("model.safetensors does not exist; a model directory holds"));
    let index = dir.path().join("model.safetensors.index.json");
    fs::write(&index, r#"{"weight_map": {"a": "model-00001-of-00002.safetensors"}}"#).unwrap();
    assert!(error(dir.path()).contains("model-00001-of-00002.safetensors does not exist"));
    fs::write(&index, r#"{"weight_map": {"a": "../elsewhere.safetensors"}}"#).unwrap();
    assert!(error(dir.path()).contains("is not the name of a file beside the index"));
    fs::write(&index, "{").unwrap();
    assert!(error(dir.path()).contains("model.safetensors.index.json: EOF"));
    fs::write(dir.path().join("config.json"), "{\"model_type\": \"llama\", \"vocab_size\": \"x\"}").unwrap();
    let text = error(dir.path());
    assert!(text.contains("config.json: `vocab_size` = \"x\": invalid type"), "{text}");
}

#[test]
fn a_failed_save_leaves_what_was_there() {
    let dir = saved(&llama());
    let before = fs::read(dir.path().join("config.json")).unwrap();
    // A directory in the place of the weights cannot be replaced by a file.
    fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    fs::create_dir(dir.path().join("model.safetensors")).unwrap();
    let model = Backbone::init(&lswt().to_string(), 1, &flex()).unwrap();
    let text = model.save(dir.path()).unwrap_err().to_string();
    assert!(text.contains("cannot write") && text.contains("model.safetensors"), "{text}");
    assert_eq!(fs::read(dir.path().join("config.json")).unwrap(), before);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "temporary files are left");
}

#[test]
fn a_hash_changes_with_what_a_model_computes_and_with_nothing_else() {
    let (dir, same) = (saved(&llama()), saved(&llama()));
    let hash = content_hash(dir.path()).unwrap();
    assert_eq!((hash.len(), &hash), (64, &content_hash(same.path()).unwrap()));
    fs::write(dir.path().join("README.md"), "x").unwrap();
    assert_eq!(hash, content_hash(dir.path()).unwrap());
    fs::write(dir.path().join("tokenizer.json"), "{}").unwrap();
    let with_tokenizer = content_hash(dir.path()).unwrap();
    assert_ne!(hash, with_tokenizer);
    let path = dir.path().join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_ne!(with_tokenizer, content_hash(dir.path()).unwrap());
}

/// The files of a byte-level byte-pair encoding of three tokens.
fn write_vocabulary(dir: &Path) {
    fs::write(dir.join("vocab.json"), r#"{"a": 0, "b": 1, "ab": 2}"#).unwrap();
    fs::write(dir.join("merges.txt"), "#version: 0.2\na b\n").unwrap();
    let config = r#"{"tokenizer_class": "GPT2Tokenizer", "model_max_length": 7}"#;
    fs::write(dir.join("tokenizer_config.json"), config).unwrap();
}

#[test]
fn a_hash_changes_with_a_vocabulary_without_tokenizer_json() {
    let dir = saved(&llama());
    let hash = || content_hash(dir.path()).unwrap();
    let without = hash();
    fs::write(dir.path().join("tokenizer_config.json"), "{}").unwrap();
    assert_eq!(hash(), without);
    write_vocabulary(dir.path());
    let with = hash();
    assert_ne!(with, without);
    fs::write(dir.path().join("merges.txt"), "#version: 0.2\n").unwrap();
    assert_ne!(hash(), with);
    // Existing directories keep their hash: with `tokenizer.json`, nothing else counts.
    fs::write(dir.path().join("tokenizer.json"), "{}").unwrap();
    let whole = hash();
    fs::remove_file(dir.path().join("vocab.json")).unwrap();
    assert_eq!(hash(), whole);
}

#[test]
fn a_vocabulary_is_read_and_converted_as_a_tokenizer_json() {
    let (dir, out) = (saved(&llama()), tempfile::tempdir().unwrap());
    let files = ModelFiles::open(dir.path()).unwrap();
    fs::write(dir.path().join("vocab.txt"), "[PAD]\n").unwrap();
    let error = files.read("tokenizer.json").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert!(error.to_string().contains("vocab.txt"), "{error}");
    write_vocabulary(dir.path());
    let out = out.path().join("out");
    convert(dir.path(), &out, &ConvertOptions::default()).unwrap();
    let json = |name: &str| -> Value { serde_json::from_slice(&fs::read(out.join(name)).unwrap()).unwrap() };
    assert_eq!(json("tokenizer.json")["model"]["merges"], json!([["a", "b"]]));
    let config = json("tokenizer_config.json");
    assert_eq!((&config["model_max_length"], &config["eos_token"]), (&json!(7), &json!("<|endoftext|>")));
    fs::write(dir.path().join("merges.txt"), "a b c\n").unwrap();
    let error = files.read("tokenizer.json").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    assert!(error.to_string().contains("line 1"), "{error}");
}

#[test]
fn a_seed_gives_the_same_model() {
    let model = |seed| states(&Backbone::init(&lswt().to_string(), seed, &flex()).unwrap());
    assert_eq!(model(1), model(1));
    assert_ne!(model(1), model(2));
}
