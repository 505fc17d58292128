//! Configurations in the forms in which people have them, and how transformers reads them.

use std::fs;

use dph_core::testing::case_folder;
use dph_model::decoder::{Positions, RotaryScaling};
use dph_model::{DecoderConfig, Family, ModelFiles};
use serde_json::{Value, json};

use crate::configs::with;
use crate::encoder::bert;

fn read(text: &str) -> Result<DecoderConfig, String> {
    Family::parse(text).and_then(|family| family.decoder()).map_err(|error| error.to_string())
}

fn llama() -> Value {
    json!({
        "model_type": "llama", "vocab_size": 256, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
    })
}

fn qwen2() -> Value {
    let qwen2 = with(&llama(), "model_type", "qwen2");
    with(&with(&qwen2, "rope_theta", 1e6), "tie_word_embeddings", true)
}

/// The configuration that a file is.
fn plain(config: &Value, scaling: RotaryScaling) -> Result<DecoderConfig, String> {
    let mut config = read(&config.to_string()).unwrap();
    if let Positions::Rotary(rotary) = &mut config.positions {
        rotary.scaling = scaling;
    }
    Ok(config)
}

fn llama3(original_context: usize) -> RotaryScaling {
    RotaryScaling::Llama3 { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_context }
}

/// What each file is, or what the error says.
fn expected(name: &str) -> Result<DecoderConfig, String> {
    let tied = with(&llama(), "tie_word_embeddings", true);
    // The files with Llama 3 scaling, and those with fewer heads.
    let long = with(&with(&tied, "max_position_embeddings", 256), "num_key_value_heads", 4);
    let few = with(&with(&tied, "num_key_value_heads", 1), "rms_norm_eps", 1e-5);
    match name {
        "bom" | "nan" | "seqcls" => plain(&llama(), RotaryScaling::None),
        "default-both" | "infinity" | "mwl-null" | "sw-null" | "v5" => plain(&qwen2(), RotaryScaling::None),
        "linear" => plain(&qwen2(), RotaryScaling::Linear { factor: 2.0 }),
        "nulls" => plain(&with(&qwen2(), "num_key_value_heads", 4), RotaryScaling::None),
        "theta-null" => plain(&with(&qwen2(), "rope_theta", 1e4), RotaryScaling::None),
        "tie-null" => plain(&with(&qwen2(), "tie_word_embeddings", false), RotaryScaling::None),
        "both-keys" | "old-key" => plain(&long, llama3(32)),
        "no-orig" => plain(&long, llama3(256)),
        "orig-float" => plain(&long, llama3(8192)),
        "int-as-float" | "partial-llama" => plain(&with(&few, "rope_theta", 5e5), RotaryScaling::None),
        "partial-llama-v5" => plain(&few, RotaryScaling::None),
        "mistral" => Err("model_type `mistral` is not supported; supported are llama".into()),
        other => panic!("{other}.json has no expected value"),
    }
}

#[test]
fn configurations_of_users_are_read_as_transformers_reads_them() {
    let Some(folder) = case_folder("configs") else { return };
    let mut read_files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let found = read(&fs::read_to_string(&path).unwrap());
        match (found, expected(name)) {
            (Err(found), Err(expected)) => assert!(found.starts_with(&expected), "{name}: {found}"),
            (found, expected) => assert_eq!(found, expected, "{name}"),
        }
        // Programs read it from a directory.
        let dir = tempfile::tempdir().unwrap();
        fs::copy(&path, dir.path().join("config.json")).unwrap();
        let files = ModelFiles::open(dir.path()).unwrap();
        let text = files.config_json().unwrap();
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{name}");
        assert_eq!(files.read("config.json").unwrap(), text.as_bytes(), "{name}");
        read_files += 1;
    }
    assert!(read_files > 0);
}

#[test]
fn both_names_of_the_scaling_may_be_there_if_they_agree() {
    let neox =
        json!({"model_type": "gpt_neox", "vocab_size": 20, "hidden_size": 32, "num_attention_heads": 2});
    let scaling = |config: &Value, key: &str, scaling: Value| read(&with(config, key, scaling).to_string());
    let linear = json!({"type": "linear", "rope_type": "linear", "factor": 4});
    for (config, key) in [(&neox, "rope_scaling"), (&llama(), "rope_parameters"), (&qwen2(), "rope_scaling")]
    {
        assert_eq!(
            scaling(config, key, linear.clone()),
            plain(config, RotaryScaling::Linear { factor: 4.0 }),
            "{key}"
        );
    }
    let disagree = json!({"type": "linear", "rope_type": "llama3", "factor": 4});
    for (config, key) in [(&neox, "rope_parameters"), (&llama(), "rope_scaling")] {
        let error = scaling(config, key, disagree.clone()).unwrap_err();
        let expected =
            "`.type` = \"linear\" and `.rope_type` = \"llama3\" disagree; remove the one that is wrong";
        assert_eq!(error, expected.replace("`.", &format!("`{key}.")));
    }
    let null = json!({"type": null, "rope_type": "linear", "factor": 4});
    assert_eq!(
        scaling(&llama(), "rope_scaling", null),
        plain(&llama(), RotaryScaling::Linear { factor: 4.0 })
    );
}

#[test]
fn null_is_what_the_absence_of_the_key_is() {
    let gpt2 = json!({"model_type": "gpt2", "vocab_size": 20, "n_embd": 8, "n_head": 2, "n_layer": 2});
    let opt = json!({"model_type": "opt", "vocab_size": 20, "hidden_size": 8, "ffn_dim": 12, "num_attention_heads": 2});
    let lswt =
        json!({"model_type": "lsw_transformer", "vocab_size": 20, "d_model": 8, "n_heads": 2, "n_layers": 2});
    for (config, keys) in [
        (
            &gpt2,
            &["n_positions", "n_inner", "activation_function", "scale_attn_weights", "tie_word_embeddings"][..],
        ),
        (&opt, &["word_embed_proj_dim", "do_layer_norm_before", "enable_bias", "init_std"]),
        (&bert("BertModel"), &["type_vocab_size", "layer_norm_eps", "is_decoder", "id2label"]),
        (&lswt, &["rope_positions", "d_ffn", "tie_word_embeddings"]),
        (
            &llama(),
            &[
                "rms_norm_eps",
                "head_dim",
                "rope_parameters",
                "attention_bias",
                "mlp_bias",
                "initializer_range",
            ],
        ),
    ] {
        for key in keys {
            let mut absent = config.clone();
            absent.as_object_mut().unwrap().remove(*key);
            assert_eq!(read(&with(config, key, Value::Null).to_string()), read(&absent.to_string()), "{key}");
        }
    }
    // A key that has to be there is named.
    let error = read(&with(&llama(), "hidden_size", Value::Null).to_string()).unwrap_err();
    assert_eq!(error, "missing field `hidden_size`");
    // A window that is null is none, and one that is absent has the default size.
    let windows = with(&with(&qwen2(), "use_sliding_window", true), "max_window_layers", 1);
    let windows = with(&windows, "max_position_embeddings", 8192);
    assert!(read(&with(&windows, "sliding_window", Value::Null).to_string()).is_ok());
    assert!(
        read(&windows.to_string()).unwrap_err().starts_with("`use_sliding_window` = true is not supported")
    );
}

#[test]
fn whole_numbers_may_be_written_as_floats() {
    for (key, value) in [("vocab_size", 256), ("num_attention_heads", 4), ("intermediate_size", 64)] {
        let text = llama().to_string();
        let float = text.replace(&format!("\"{key}\":{value}"), &format!("\"{key}\":{value}.0"));
        assert_ne!(float, text);
        assert_eq!(read(&float), read(&text), "{key}");
    }
    let error = read(&with(&llama(), "vocab_size", 25.5).to_string()).unwrap_err();
    assert!(error.starts_with("`vocab_size` = 25.5: invalid type: floating point"), "{error}");
}

#[test]
fn numbers_of_python_are_an_error_only_where_they_are_read() {
    let with_text = |key: &str, value: &str| {
        let text = llama().to_string();
        read(&format!("\u{feff}{{\"{key}\": {value}, {}", &text[1..]))
    };
    assert_eq!(with_text("attention_dropout", "-Infinity"), read(&llama().to_string()));
    assert_eq!(with_text("router_jitter", "[NaN, Infinity]"), read(&llama().to_string()));
    let error = with_text("rms_norm_eps", "NaN").unwrap_err();
    assert!(error.starts_with("`rms_norm_eps` = \"NaN\": invalid type"), "{error}");
}

#[test]
fn the_base_of_the_angles_may_be_in_the_table() {
    for key in ["rope_scaling", "rope_parameters"] {
        let table = json!({"rope_type": "default", "rope_theta": 5e5});
        let found = read(&with(&with(&llama(), key, table), "rope_theta", 1e4).to_string());
        assert_eq!(found, plain(&with(&llama(), "rope_theta", 5e5), RotaryScaling::None), "{key}");
    }
}
