//! Reward models, adapters and heads through the program, and what is said of those that cannot be used.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "models_of_others/classes.rs"]
mod classes;
#[path = "support/command.rs"]
mod command;

use std::fs;
use std::path::Path;

use command::run;
use dph_core::{Batch, CandidateSet, Layer, PoolingKind, PreferenceHeadConfig, TargetTokens};
use dph_model::checkpoint::{ConvertOptions, convert_files};
use dph_model::{Backbone, ModelFiles, content_hash, stored_head};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};

fn device() -> burn::tensor::Device {
    dph_core::device("flex").unwrap()
}

fn config(class: &str) -> Value {
    json!({
        "architectures": [class], "model_type": "llama", "vocab_size": 20, "hidden_size": 8, "intermediate_size": 12,
        "num_hidden_layers": 2, "num_attention_heads": 2, "initializer_range": 0.3,
    })
}

type Tensors = Vec<(String, Vec<usize>, Vec<f32>)>;

fn write_tensors(path: &Path, tensors: &Tensors) {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn read_tensors(path: &Path) -> Tensors {
    let bytes = fs::read(path).unwrap();
    let values = |data: &[u8]| data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    SafeTensors::deserialize(&bytes)
        .unwrap()
        .iter()
        .map(|(name, view)| (name.to_string(), view.shape().to_vec(), values(view.data())))
        .collect()
}

/// A model with random weights. `change` changes its tensors.
fn model(dir: &Path, class: &str, change: impl FnOnce(&mut Tensors)) {
    Backbone::init(&config(class).to_string(), 3, &device()).unwrap().save(dir).unwrap();
    let path = dir.join("model.safetensors");
    let mut tensors = read_tensors(&path);
    change(&mut tensors);
    write_tensors(&path, &tensors);
}

fn numbers(len: usize, seed: f32) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * 1.3 + seed).sin() / 4.0).collect()
}

/// An adapter of the query projections.
fn adapter(dir: &Path, change: impl FnOnce(&mut Value, &mut Tensors)) {
    let mut config = json!({
        "peft_type": "LORA", "base_model_name_or_path": "../base", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"],
    });
    let mut tensors = Tensors::new();
    for layer in 0..2 {
        let name = format!("base_model.model.model.layers.{layer}.self_attn.q_proj");
        tensors.push((format!("{name}.lora_A.weight"), vec![2, 8], numbers(16, 1.0)));
        tensors.push((format!("{name}.lora_B.weight"), vec![8, 2], numbers(16, 2.0)));
    }
    change(&mut config, &mut tensors);
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("adapter_config.json"), config.to_string()).unwrap();
    write_tensors(&dir.join("adapter_model.safetensors"), &tensors);
}

fn states(files: &ModelFiles) -> Vec<f32> {
    let model = Backbone::load_files(files, &device(), Default::default()).unwrap();
    let set = CandidateSet { prompt: vec![5, 9, 17, 2, 3], ..CandidateSet::default() };
    let batch = Batch::pack([&set], TargetTokens::None, 0);
    model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0).into_data().try_to_vec().unwrap()
}

fn open(dir: &Path) -> ModelFiles {
    ModelFiles::open(dir).unwrap()
}

#[test]
fn an_adapter_is_merged_into_its_base_or_into_another_one() {
    let place = tempfile::tempdir().unwrap();
    let (base, adapted) = (place.path().join("base"), place.path().join("adapter"));
    model(&base, "LlamaForCausalLM", |_| ());
    adapter(&adapted, |_, _| ());
    let expected = states(&open(&adapted));
    assert_ne!(expected, states(&open(&base)));
    let hash = content_hash(&adapted).unwrap();
    assert_ne!(hash, content_hash(&base).unwrap());

    run(place.path(), &["convert", "adapter", "merged"]).ok();
    assert_eq!(states(&open(&place.path().join("merged"))), expected);

    // The base is elsewhere now.
    fs::rename(&base, place.path().join("moved")).unwrap();
    let said = run(place.path(), &["convert", "adapter", "again"]).failed(2);
    assert!(said.contains("the model that it was trained on, ../base, is not there"), "{said}");
    assert!(said.contains("name the model with --base"), "{said}");
    run(place.path(), &["convert", "adapter", "again", "--base", "moved"]).ok();
    assert_eq!(states(&open(&place.path().join("again"))), expected);
    // The summary of an adapter needs its base as well.
    let said = run(place.path(), &["inspect", "adapter"]).failed(2);
    assert!(said.contains("name the model with --base"), "{said}");
    let said = run(place.path(), &["inspect", "adapter", "--base", "moved"]).ok();
    assert!(said.contains("an adapter of PEFT (LoRA), with its base: a language model"), "{said}");
    assert!(said.lines().any(|line| line.starts_with("base ") && line.ends_with("moved")), "{said}");
    let json = run(place.path(), &["inspect", "adapter", "--base", "moved", "--json"]).ok();
    assert!(serde_json::from_str::<Value>(&json).unwrap()["base"].as_str().unwrap().ends_with("moved"));
    for model in ["moved", "moved/config.json"] {
        let said = run(place.path(), &["inspect", model, "--base", "again"]).failed(2);
        assert!(said.contains("is not an adapter of PEFT, so it has no base model"), "{said}");
    }
    let moved = ModelFiles::open_on(&adapted, Some(&place.path().join("moved"))).unwrap();
    assert_eq!(moved.content_hash().unwrap(), hash);
    let said = run(place.path(), &["convert", "moved", "out", "--base", "again"]).failed(2);
    assert!(said.contains("moved is not an adapter of PEFT, so it has no base model"), "{said}");
}

#[test]
fn parts_of_adapters_are_read_as_peft_reads_them() {
    let place = tempfile::tempdir().unwrap();
    let base = place.path().join("base");
    model(&base, "LlamaForCausalLM", |_| ());
    let adapted = |name: &str, change: &dyn Fn(&mut Value, &mut Tensors)| {
        let dir = place.path().join(name);
        adapter(&dir, change);
        states(&open(&dir))
    };
    let expected = adapted("plain", &|_, _| ());
    // The names of older versions.
    let older = adapted("older", &|_, tensors| {
        tensors.iter_mut().for_each(|(name, ..)| *name = name.replace(".weight", ".default.weight"));
    });
    assert_eq!(older, expected);
    // An adapter of the bare model, without the class around it.
    let bare = adapted("bare", &|_, tensors| {
        tensors
            .iter_mut()
            .for_each(|(name, ..)| *name = name.replace("base_model.model.model.", "base_model.model."));
    });
    assert_eq!(bare, expected);
    let doubled = adapted("doubled", &|config, _| config["lora_alpha"] = 8.into());
    assert_ne!(doubled, expected);
    let by_pattern =
        adapted("pattern", &|config, _| config["alpha_pattern"] = json!({"self_attn.q_proj": 8}));
    assert_eq!(by_pattern, doubled);
    // The first pattern in the file counts.
    let patterns = |first: (&str, f64), second: (&str, f64)| {
        adapted("patterns", &|config, _| {
            config["alpha_pattern"] = json!({first.0: first.1, second.0: second.1})
        })
    };
    assert_eq!(patterns(("q_proj", 8.0), ("0.self_attn.q_proj", 99.0)), doubled);
    assert_ne!(patterns(("0.self_attn.q_proj", 99.0), ("q_proj", 8.0)), doubled);
    let stabilised = adapted("rslora", &|config, _| {
        config["use_rslora"] = true.into();
        config["lora_alpha"] = (4.0 / 2.0_f64.sqrt()).into();
    });
    assert!(stabilised.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5));
    // Whole tensors, and low rank of the embedding, which is stored the other way round.
    let norm = adapted("norm", &|_, tensors| {
        tensors.push(("base_model.model.model.norm.weight".into(), vec![8], vec![2.0; 8]));
    });
    assert!(norm.iter().zip(&expected).all(|(a, b)| (a - 2.0 * b).abs() < 1e-4));
    // PEFT corrects the key for a linear layer, also where the matrix is square.
    assert_eq!(adapted("fan_in", &|config, _| config["fan_in_fan_out"] = true.into()), expected);
    let embedding = adapted("embedding", &|config, tensors| {
        config["target_modules"] = json!(["q_proj", "embed_tokens"]);
        let name = "base_model.model.model.embed_tokens.lora_embedding";
        tensors.push((format!("{name}_A"), vec![2, 20], numbers(40, 3.0)));
        tensors.push((format!("{name}_B"), vec![8, 2], numbers(16, 4.0)));
    });
    assert_ne!(embedding, expected);
}

#[test]
fn adapters_that_cannot_be_used_say_why() {
    let place = tempfile::tempdir().unwrap();
    model(&place.path().join("base"), "LlamaForCausalLM", |_| ());
    model(&place.path().join("tied"), "LlamaForCausalLM", |tensors| {
        tensors.retain(|(name, ..)| !name.contains("lm_head"));
    });
    let said = |change: &dyn Fn(&mut Value, &mut Tensors)| {
        let dir = place.path().join("adapter");
        adapter(&dir, change);
        let error = ModelFiles::open(&dir)
            .and_then(|files| Backbone::load_files(&files, &device(), Default::default()));
        error.unwrap_err().to_string()
    };
    for (found, expected) in [
        (
            said(&|config, _| config["use_dora"] = true.into()),
            "an adapter with `use_dora` is not supported; merge the adapter with PEFT",
        ),
        (said(&|config, _| config["peft_type"] = "IA3".into()), "`peft_type` = \"IA3\""),
        (
            said(&|config, _| config["task_type"] = "TOKEN_CLS".into()),
            "it was trained for another task (`task_type` = \"TOKEN_CLS\"); adapters of language models (CAUSAL_LM)",
        ),
        // What PEFT would leave out.
        (
            said(&|config, _| config["target_modules"] = json!(["k_proj"])),
            "layers.0.self_attn.q_proj.lora_A.weight, but `target_modules` of adapter_config.json leaves this module out, so PEFT would not use",
        ),
        (
            said(&|config, _| config["layers_to_transform"] = json!([0])),
            "layers.1.self_attn.q_proj.lora_A.weight, but `layers_to_transform`",
        ),
        (
            said(&|config, _| config["exclude_modules"] = json!(["1.self_attn.q_proj"])),
            "but `exclude_modules`",
        ),
        (
            said(&|config, _| config["base_model_name_or_path"] = "".into()),
            "does not say on which model it was trained",
        ),
        (
            said(&|_, tensors| drop(tensors.remove(1))),
            "but not base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight",
        ),
        (
            said(&|_, tensors| tensors[0].0 = "base_model.model.model.layers.9.x.lora_A.weight".into()),
            "fetch the adapter again",
        ),
        (
            said(&|_, tensors| {
                tensors.iter_mut().for_each(|(name, ..)| *name = name.replace("layers.1.", "layers.7."))
            }),
            "the model has no tensor model.layers.7.self_attn.q_proj.weight; is ",
        ),
        (
            said(&|_, tensors| {
                tensors[1].1 = vec![4, 2];
                tensors[1].2.truncate(8);
            }),
            "it adapts a matrix of 4 × 8",
        ),
        (said(&|config, _| config["base_model_name_or_path"] = "../adapter".into()), "is an adapter as well"),
        // The configuration is that of another adapter.
        (
            said(&|config, _| {
                config["r"] = 8.into();
                config["rank_pattern"] = json!({ "k_proj": 4 });
            }),
            "lora_A.weight has the rank 2, but adapter_config.json says 8; are both files of one adapter?",
        ),
        (
            said(&|config, _| config["modules_to_save"] = json!(["classifier", "lm_head"])),
            "it lacks the module lm_head, which `modules_to_save` of adapter_config.json names",
        ),
        (
            said(&|_, tensors| tensors[1].2[3] = f32::NAN),
            "adapter_model.safetensors: the tensor base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight holds NaN",
        ),
        (
            said(&|config, _| config["trainable_token_indices"] = json!({ "embed_tokens": [1] })),
            "an adapter with `trainable_token_indices` is not supported",
        ),
        // Tensors of another method, and of another base.
        (
            said(&|_, tensors| {
                let name = "base_model.model.model.layers.0.self_attn.q_proj.lokr_w1";
                tensors.push((name.into(), vec![2, 2], numbers(4, 0.0)));
            }),
            "lokr_w1 is no matrix of LoRA (lora_A, lora_B), and the model has no tensor",
        ),
        (
            said(&|_, tensors| {
                let name = "base_model.model.model.embed_tokens.weight";
                tensors.push((name.into(), vec![22, 8], numbers(176, 0.0)));
            }),
            "embed_tokens.weight has the shape [22, 8], but model.embed_tokens.weight is [20, 8]; is ",
        ),
        (said(&|_, tensors| tensors.clear()), "it has no tensors; fetch it again"),
        (
            said(&|config, _| config["init_lora_weights"] = "pissa".into()),
            "an adapter with `init_lora_weights` = \"pissa\" is not supported; merge the adapter with PEFT",
        ),
        (
            said(&|config, tensors| {
                config["base_model_name_or_path"] = "../tied".into();
                let name = "base_model.model.model.embed_tokens.weight";
                tensors.push((name.into(), vec![20, 8], numbers(160, 3.0)));
            }),
            "the output matrix of its base is the embedding",
        ),
    ] {
        assert!(found.contains(expected), "{found}\nlacks {expected}");
    }
}

/// `convert`, too, names the tensor and the file that a value is from.
#[test]
fn values_that_are_not_finite_are_named_by_their_origin() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    model(&dir.join("base"), "LlamaForCausalLM", |_| ());
    let said = || run(dir, &["convert", "adapter", "out"]).failed(1);
    let query = "base_model.model.model.layers.1.self_attn.q_proj";
    for matrix in ["lora_A", "lora_B"] {
        adapter(&dir.join("adapter"), |_, tensors| {
            let name = format!("{query}.{matrix}.weight");
            tensors.iter_mut().find(|(other, ..)| *other == name).unwrap().2[3] = f32::INFINITY;
        });
        let expected =
            format!("adapter/adapter_model.safetensors: the tensor {query}.{matrix}.weight holds NaN");
        assert!(said().contains(&expected), "{}", said());
    }
    adapter(&dir.join("adapter"), |_, tensors| {
        tensors.push(("base_model.model.model.norm.weight".into(), vec![8], vec![f32::NAN; 8]));
    });
    let expected = "adapter_model.safetensors: the tensor base_model.model.model.norm.weight holds NaN";
    assert!(said().contains(expected), "{}", said());
    // The base itself.
    adapter(&dir.join("adapter"), |_, _| ());
    model(&dir.join("base"), "LlamaForCausalLM", |tensors| {
        let name = "model.layers.1.self_attn.q_proj.weight";
        tensors.iter_mut().find(|(other, ..)| other == name).unwrap().2[3] = f32::NAN;
    });
    assert!(
        said().contains("base: the tensor model.layers.1.self_attn.q_proj.weight holds NaN"),
        "{}",
        said()
    );
}

#[test]
fn heads_of_other_kinds_are_named() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    model(dir, "LlamaForSequenceClassification", |tensors| {
        tensors.retain(|(name, ..)| name != "lm_head.weight");
        tensors.push(("score.0.weight".into(), vec![8, 8], numbers(64, 0.0)));
        tensors.push(("score.2.weight".into(), vec![1, 8], numbers(8, 0.0)));
    });
    let error = stored_head(&open(dir), &device()).unwrap_err().to_string();
    assert!(
        error.contains(
            "the tensors score.0.weight, score.2.weight are a reward head, but not one linear layer"
        ),
        "{error}"
    );

    // Two heads.
    let score = ("score.weight".to_owned(), vec![1, 8], numbers(8, 0.0));
    model(dir, "LlamaForCausalLM", |tensors| {
        tensors.push(score.clone());
        tensors.push(("v_head.summary.weight".into(), vec![1, 8], numbers(8, 1.0)));
    });
    let error = stored_head(&open(dir), &device()).unwrap_err().to_string();
    assert!(
        error.contains("there are several reward layers, score.weight and v_head.summary.weight"),
        "{error}"
    );
    model(dir, "LlamaForCausalLM", |tensors| tensors.push(score));
    write_tensors(
        &dir.join("value_head.safetensors"),
        &vec![("v_head.summary.weight".into(), vec![1, 8], numbers(8, 1.0))],
    );
    let error = stored_head(&open(dir), &device()).unwrap_err().to_string();
    assert!(error.contains("score.weight and ") && error.contains("value_head.safetensors;"), "{error}");
    fs::remove_file(dir.join("value_head.safetensors")).unwrap();

    // A layer for states of another size.
    model(dir, "LlamaForSequenceClassification", |tensors| {
        tensors.retain(|(name, ..)| name != "lm_head.weight");
        tensors.push(("score.weight".into(), vec![1, 6], numbers(6, 0.0)));
    });
    let error = stored_head(&open(dir), &device()).unwrap_err().to_string();
    assert!(error.contains("score.weight has shape [1, 6], the configuration asks for [1, 8]"), "{error}");

    // A language model must have its output matrix, and a reward model has none.
    model(dir, "LlamaForCausalLM", |tensors| tensors.retain(|(name, ..)| name != "lm_head.weight"));
    let error = Backbone::load(dir, &device()).unwrap_err().to_string();
    assert!(error.contains("1 missing:\n    lm_head.weight"), "{error}");
    model(dir, "LlamaForSequenceClassification", |tensors| {
        tensors.retain(|(name, ..)| name != "lm_head.weight")
    });
    let loaded = Backbone::load(dir, &device()).unwrap();
    assert!(!loaded.has_output() && stored_head(&open(dir), &device()).unwrap().is_none());
    // It stays one.
    let larger = loaded.with_vocab(24, 0).unwrap();
    larger.save(dir.join("larger")).unwrap();
    assert!(!Backbone::load(dir.join("larger"), &device()).unwrap().has_output());
}

/// A directory that is two things, and one that is half of one.
#[test]
fn directories_with_parts_of_models_say_what_they_are() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    model(&dir.join("base"), "LlamaForCausalLM", |_| ());
    model(&dir.join("both"), "LlamaForCausalLM", |_| ());
    adapter(&dir.join("both"), |_, _| ());
    let said = run(dir, &["inspect", "both"]).failed(2);
    assert!(
        said.contains("the adapter both: the directory also holds the weights of a whole model"),
        "{said}"
    );
    let said = run(dir, &["inspect", "base", "--base", "both"]).failed(2);
    assert!(
        said.contains("base is not an adapter of PEFT, so it has no base model; leave out --base, or `base` in `[model]` (it names both)"),
        "{said}"
    );
    // What is left of an adapter does no harm.
    fs::remove_file(dir.join("both/adapter_model.safetensors")).unwrap();
    run(dir, &["inspect", "both"]).ok();

    adapter(&dir.join("half"), |_, _| ());
    fs::remove_file(dir.join("half/adapter_config.json")).unwrap();
    let said = run(dir, &["inspect", "half"]).failed(2);
    assert!(said.contains("the weights of an adapter, but no adapter_config.json"), "{said}");

    adapter(&dir.join("training/checkpoint-10"), |_, _| ());
    let said = run(dir, &["convert", "training", "out"]).failed(2);
    assert!(said.contains("the directory holds models: name one of training/checkpoint-10"), "{said}");

    // A file of a model, and a folder of the hub's cache.
    for (arguments, file) in
        [(["inspect", "base/model.safetensors"], "base"), (["inspect", "half/adapter_model.safetensors"], "")]
    {
        let said = run(dir, &arguments).failed(2);
        let expected = match file {
            "" => "this is a file; a model is a directory".to_owned(),
            base => format!("this is a file; name the directory of the model, {base}"),
        };
        assert!(said.contains(&expected), "{said}");
    }
    let cache = dir.join("models--owner--name");
    model(&cache.join("snapshots/aa"), "LlamaForCausalLM", |_| ());
    fs::create_dir(cache.join("refs")).unwrap();
    assert_eq!(run(dir, &["inspect", "models--owner--name"]).ok(), run(dir, &["inspect", "base"]).ok());
    model(&cache.join("snapshots/bb"), "LlamaForCausalLM", |_| ());
    let said = run(dir, &["inspect", "models--owner--name"]).failed(2);
    assert!(
        said.contains("several snapshots of a repository; name one of them: models--owner--name/snapshots/aa, models--owner--name/snapshots/bb"),
        "{said}"
    );

    model(&dir.join("value"), "LlamaForCausalLM", |_| ());
    fs::create_dir(dir.join("value/value_head.safetensors")).unwrap();
    let said = run(dir, &["inspect", "value"]).failed(1);
    assert!(said.contains("value/value_head.safetensors: this is a directory"), "{said}");
    fs::remove_file(dir.join("value/model.safetensors")).unwrap();
    fs::create_dir(dir.join("value/model.safetensors")).unwrap();
    let said = run(dir, &["inspect", "value"]).failed(1);
    assert!(said.contains("value/model.safetensors: this is a directory"), "{said}");

    fs::write(dir.join("base/config.json"), b"\xFF\xFE{\0}\0").unwrap();
    let said = run(dir, &["inspect", "base"]).failed(1);
    assert!(
        said.contains("base/config.json: this is not UTF-8, but UTF-16; convert the file (iconv -f utf-16 "),
        "{said}"
    );
}

#[test]
fn weights_of_64_bits_are_read() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    model(dir, "LlamaForCausalLM", |_| ());
    let expected = states(&open(dir));
    let path = dir.join("model.safetensors");
    let tensors: Vec<_> = read_tensors(&path)
        .into_iter()
        .map(|(name, shape, values)| {
            let bytes: Vec<u8> = values.iter().flat_map(|value| f64::from(*value).to_le_bytes()).collect();
            (name, shape, bytes)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(Dtype::F64, shape.clone(), bytes).unwrap())
    });
    fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    assert_eq!(states(&open(dir)), expected);
    let said = run(dir, &["convert", ".", "out"]).ok();
    assert_eq!(states(&open(&dir.join("out"))), expected, "{said:?}");
}

/// A class that `config.json` does not name shows in the tensors.
#[test]
fn a_score_layer_without_a_class_is_a_reward_model() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    model(dir, "LlamaForCausalLM", |tensors| {
        tensors.retain(|(name, ..)| name != "lm_head.weight");
        tensors.push(("score.weight".into(), vec![1, 8], numbers(8, 0.0)));
    });
    let mut config = config("");
    config.as_object_mut().unwrap().remove("architectures");
    fs::write(dir.join("config.json"), config.to_string()).unwrap();
    assert!(!Backbone::load(dir, &device()).unwrap().has_output());
    assert!(!open(dir).causal_outline().unwrap().has_output);
    let (_, head) = stored_head(&open(dir), &device()).unwrap().unwrap();
    assert_eq!(head.rewards, ["preference"]);
    let said = run(dir, &["inspect", "."]).ok();
    assert!(said.contains("a reward model (*ForSequenceClassification)"), "{said}");
}

#[test]
fn inspect_says_what_a_model_is() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    // The width of the columns depends on the names.
    let said = |name: &str| {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        run(dir, &["inspect", name]).ok().lines().map(words).collect::<Vec<_>>().join("\n")
    };
    model(&dir.join("base"), "LlamaForCausalLM", |_| ());
    assert!(said("base").starts_with("kind a language model\n"), "{}", said("base"));
    adapter(&dir.join("adapter"), |_, _| ());
    let found = said("adapter");
    assert!(found.contains("an adapter of PEFT (LoRA), with its base: a language model\n"), "{found}");
    assert!(found.lines().any(|line| line.starts_with("base") && line.ends_with("base")), "{found}");
    model(&dir.join("value"), "LlamaForCausalLM", |tensors| {
        tensors.push(("v_head.summary.weight".into(), vec![1, 8], numbers(8, 0.0)));
    });
    assert!(said("value").contains("a language model with a value head\nrewards preference\n"));
    model(&dir.join("score"), "LlamaForSequenceClassification", |tensors| {
        tensors.retain(|(name, ..)| name != "lm_head.weight");
        tensors.push(("score.weight".into(), vec![2, 8], numbers(16, 0.0)));
    });
    assert!(
        said("score").contains("a reward model (*ForSequenceClassification)\nrewards LABEL_0, LABEL_1\n")
    );
    let number = |name: &str| {
        let found = said(name);
        let line = found.lines().find_map(|line| line.strip_prefix("parameters ")).unwrap();
        line.replace(',', "").parse::<usize>().unwrap()
    };
    assert!(
        said("score").contains("output matrix none\n") && said("base").contains("output matrix its own\n")
    );
    assert_eq!(number("score"), number("base") - 20 * 8);
    PreferenceHeadConfig::new(8, 12)
        .init(1, &device())
        .save(&PreferenceHeadConfig::new(8, 12), &dir.join("base"))
        .unwrap();
    assert!(said("base").contains("a language model with a preference head\nrewards preference\n"));
    let json: Value = serde_json::from_str(&run(dir, &["inspect", "score", "--json"]).ok()).unwrap();
    assert_eq!(json["rewards"], json!(["LABEL_0", "LABEL_1"]));
    // Without its layer, and without any weights.
    model(&dir.join("score"), "LlamaForSequenceClassification", |tensors| {
        tensors.retain(|(name, ..)| name != "lm_head.weight");
    });
    assert!(
        said("score")
            .contains("kind a reward model (*ForSequenceClassification) without its layer score.weight\n")
    );
    fs::remove_file(dir.join("score/model.safetensors")).unwrap();
    for name in ["score", "score/config.json"] {
        let found = said(name);
        assert!(found.contains("kind a reward model (*ForSequenceClassification)\n"), "{found}");
        assert!(found.contains("weights none here; score/model.safetensors does not exist\n"), "{found}");
    }
    // An encoder has classes and no rewards.
    let bert = json!({
        "architectures": ["BertForSequenceClassification"], "model_type": "bert", "vocab_size": 20, "hidden_size": 8,
        "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2, "id2label": {"0": "no", "1": "yes", "2": "maybe"},
    });
    fs::create_dir(dir.join("bert")).unwrap();
    fs::write(dir.join("bert/config.json"), bert.to_string()).unwrap();
    let found = said("bert");
    assert!(
        found.contains("kind an encoder with a classification layer\nlabels no, yes, maybe\n"),
        "{found}"
    );
    let json: Value = serde_json::from_str(&run(dir, &["inspect", "bert", "--json"]).ok()).unwrap();
    assert_eq!(json["labels"], json!(["no", "yes", "maybe"]));
}

#[test]
fn directories_without_a_language_model_name_it() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    model(&dir.join("run/sft"), "LlamaForCausalLM", |_| ());
    fs::write(dir.join("run/manifest.json"), "{}").unwrap();
    let said = run(dir, &["convert", "run", "out"]).failed(2);
    assert!(
        said.contains("this is a run of dph-train; name the export of one of its stages: run/sft"),
        "{said}"
    );
    fs::create_dir(dir.join("head")).unwrap();
    PreferenceHeadConfig::new(8, 12)
        .init(1, &device())
        .save(&PreferenceHeadConfig::new(8, 12), &dir.join("head"))
        .unwrap();
    let said = run(dir, &["convert", "head", "out"]).failed(2);
    assert!(said.contains("holds a preference head, but no language model"), "{said}");
    assert!(said.contains("--sequence-classification"), "{said}");
}

#[test]
fn pointers_of_git_lfs_are_named() {
    const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 269060552\n";
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    for file in ["model.safetensors", "pytorch_model.bin", "config.json", "model.safetensors.index.json"] {
        let folder = dir.join(file.replace('.', "-"));
        model(&folder, "LlamaForCausalLM", |_| ());
        if file != "config.json" {
            fs::remove_file(folder.join("model.safetensors")).unwrap();
        }
        fs::write(folder.join(file), POINTER).unwrap();
        let said = run(&folder, &["convert", ".", "out"]);
        assert_ne!(said.status, 0);
        let expected =
            format!("{file}: this is a pointer of Git LFS, not the file itself; run `git lfs pull`");
        assert!(said.stderr.contains(&expected), "{}", said.stderr);
    }
    fs::write(dir.join("model.gguf"), POINTER).unwrap();
    let said = run(dir, &["inspect", "model.gguf"]);
    assert!(said.stderr.contains("model.gguf: this is a pointer of Git LFS"), "{}", said.stderr);
    model(&dir.join("base"), "LlamaForCausalLM", |_| ());
    fs::write(dir.join("base/tokenizer.json"), POINTER).unwrap();
    let said = run(dir, &["inspect", "base"]);
    assert!(
        said.stderr.contains("tokenizer.json") && said.stderr.contains("`git lfs pull`"),
        "{}",
        said.stderr
    );
}

#[test]
fn labels_are_the_names_of_rewards() {
    let place = tempfile::tempdir().unwrap();
    let names = |labels: Value| {
        let dir = place.path();
        model(dir, "LlamaForSequenceClassification", |tensors| {
            tensors.retain(|(name, ..)| name != "lm_head.weight");
            tensors.push(("score.weight".into(), vec![2, 8], numbers(16, 0.0)));
        });
        let mut config = config("LlamaForSequenceClassification");
        config["id2label"] = labels;
        fs::write(dir.join("config.json"), config.to_string()).unwrap();
        stored_head(&open(dir), &device()).unwrap().unwrap().1.rewards
    };
    assert_eq!(names(json!({"0": "helpfulness", "1": "safety"})), ["helpfulness", "safety"]);
    for odd in [json!(null), json!({"0": "x", "1": "x"})] {
        assert_eq!(names(odd), ["LABEL_0", "LABEL_1"]);
    }
    // Which rows are meant is not known.
    let mut config = config("LlamaForSequenceClassification");
    for (labels, number, says) in [
        (json!({"0": "x"}), json!(null), "is 1 label"),
        (json!(null), json!(1), "is 1 label"),
        (json!({"0": "x", "1": "y", "2": "z"}), json!(2), "are 3 labels"),
    ] {
        (config["id2label"], config["num_labels"]) = (labels, number);
        fs::write(place.path().join("config.json"), config.to_string()).unwrap();
        let said = run(place.path(), &["inspect", "."]).failed(2);
        let expected = format!(
            "score.weight has 2 rows, but config.json says that there {says} (`num_labels`, `id2label`)"
        );
        assert!(said.contains(&expected), "{said}");
    }
}

#[test]
fn a_head_is_written_as_a_score_layer_or_the_reason_is_said() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    model(&dir.join("model"), "LlamaForCausalLM", |_| ());
    let export = dir.join("export");
    fs::create_dir(&export).unwrap();
    let save = |config: &PreferenceHeadConfig| config.init(1, &device()).save(config, &export).unwrap();
    let head =
        PreferenceHeadConfig { rewards: vec!["a".into(), "b".into()], ..PreferenceHeadConfig::new(8, 12) };
    save(&head);
    let reference = json!({"path": "../model", "hash": content_hash(dir.join("model")).unwrap()});
    fs::write(export.join("backbone.json"), reference.to_string()).unwrap();
    run(dir, &["convert", "export", "out", "--sequence-classification"]).ok();
    let (_, written) = stored_head(&open(&dir.join("out")), &device()).unwrap().unwrap();
    assert_eq!((written.rewards, written.ending), (head.rewards.clone(), head.ending));
    let names: Vec<String> =
        read_tensors(&dir.join("out/model.safetensors")).into_iter().map(|(name, ..)| name).collect();
    assert!(names.contains(&"score.weight".to_string()) && !names.contains(&"lm_head.weight".to_string()));
    assert_eq!(states(&open(&dir.join("out"))), states(&open(&dir.join("model"))));

    // Another copy of the backbone.
    convert_files(&open(&dir.join("model")), &dir.join("copy"), &ConvertOptions::default()).unwrap();
    fs::remove_dir_all(dir.join("model")).unwrap();
    run(dir, &["convert", "export", "other", "--sequence-classification", "--backbone", "copy"]).ok();

    save(&PreferenceHeadConfig { pooling: PoolingKind::Bert, ..head });
    let arguments = ["convert", "export", "no", "--sequence-classification", "--backbone", "copy"];
    let said = run(dir, &arguments).failed(2);
    assert!(said.contains("its pooling is \"bert\", not \"identity\""), "{said}");
    assert!(!dir.join("no").exists());
    let said = run(dir, &["convert", "copy", "no", "--sequence-classification"]).failed(2);
    assert!(said.contains("there is no preference head"), "{said}");
    // The head of a reward model of others is a layer of it already.
    model(&dir.join("score"), "LlamaForSequenceClassification", |tensors| {
        tensors.retain(|(name, ..)| name != "lm_head.weight");
        tensors.push(("score.weight".into(), vec![1, 8], numbers(8, 0.0)));
    });
    let said = run(dir, &["convert", "score", "no", "--sequence-classification"]).failed(2);
    assert!(
        said.contains("score: the head of this model is a layer of another trainer; `dph-model convert` without --sequence-classification"),
        "{said}"
    );
    run(dir, &["convert", "score", "written"]).ok();
    let rewards = |name: &str| stored_head(&open(&dir.join(name)), &device()).unwrap().unwrap().1.rewards;
    assert_eq!(rewards("written"), rewards("score"));
}
