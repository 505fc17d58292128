//! What is said of configurations that cannot be used.

use dph_core::{Batch, CandidateSet, Layer, TargetTokens};
use dph_model::{Backbone, Cache, Encoder, Family, InputError};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::configs::{causal, flex, with};
use crate::encoder::bert;

fn of(name: &str) -> Value {
    causal().into_iter().find(|(this, _)| *this == name).unwrap().1
}

fn message(config: Value) -> String {
    match Family::parse(&config.to_string()).and_then(|family| family.decoder()) {
        Ok(_) => "fine".into(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn settings_that_are_not_computed_are_refused_by_name() {
    let windowed = with(&with(&of("qwen2"), "use_sliding_window", true), "max_window_layers", 1);
    let cases = [
        with(&of("gpt2"), "model_type", "mamba"),
        with(&of("gpt2"), "scale_attn_by_inverse_layer_idx", true),
        with(&of("gpt2"), "scale_attn_weights", false),
        with(&of("gpt2"), "activation_function", "tanh"),
        with(&of("gpt2"), "add_cross_attention", true),
        with(&of("gpt2"), "pruned_heads", json!({"0": [1]})),
        with(&of("gpt2"), "quantization_config", json!({"bits": 4})),
        with(&of("gpt2"), "n_head", 3),
        with(&of("openai-gpt"), "afn", "gelu_new"),
        with(&of("opt"), "layer_norm_elementwise_affine", false),
        with(&of("gpt_neox"), "rotary_pct", 0.4),
        with(&of("gpt_neox"), "rotary_pct", 0.0),
        with(&of("gpt_neox"), "rope_scaling", json!({"type": "dynamic", "factor": 2.0})),
        with(&of("gpt_neox"), "rope_scaling", json!({"type": "linear"})),
        with(&of("qwen3"), "rope_scaling", json!({"type": "linear", "rope_type": "llama3", "factor": 2.0})),
        with(&with(&windowed, "sliding_window", 16), "max_position_embeddings", 64),
        with(&of("qwen3"), "rope_scaling", json!({"rope_type": "yarn", "factor": 4.0})),
        with(&of("lswt"), "gated_att", true),
        with(&bert("BertModel"), "position_embedding_type", "relative_key"),
        with(&bert("BertModel"), "is_decoder", true),
        bert("BertForTokenClassification"),
        with(&bert("BertForSequenceClassification"), "id2label", json!({})),
    ];
    insta::assert_snapshot!(cases.map(message).join("\n"));
}

#[test]
fn settings_without_effect_are_accepted() {
    let windowed = with(&of("qwen2"), "use_sliding_window", true);
    let cases = [
        // The first block that would have a window does not exist.
        with(&windowed, "max_window_layers", 2),
        // The window is as long as the context.
        with(&with(&windowed, "max_window_layers", 0), "sliding_window", 2048),
        with(&of("qwen2"), "sliding_window", 16),
        with(&windowed, "layer_types", json!(["full_attention", "full_attention"])),
        with(&of("gpt2"), "pruned_heads", json!({})),
        with(&of("gpt2"), "quantization_config", Value::Null),
        with(&of("gpt2"), "reorder_and_upcast_attn", true),
        with(&of("gpt2"), "resid_pdrop", 0.1),
        with(&of("gpt_neox"), "rope_scaling", Value::Null),
    ];
    for case in cases {
        assert_eq!(message(case.clone()), "fine", "{case}");
    }
}

#[test]
fn an_encoder_is_no_backbone_and_the_reverse() {
    let backbone = Backbone::init(&bert("BertModel").to_string(), 1, &flex()).unwrap_err();
    let encoder = Encoder::init(&of("gpt2").to_string(), 1, &flex()).unwrap_err();
    insta::assert_snapshot!(format!("{backbone}\n{encoder}"));
    let dir = tempfile::tempdir().unwrap();
    Encoder::init(&bert("BertModel").to_string(), 1, &flex()).unwrap().save(dir.path()).unwrap();
    let error = Backbone::load(dir.path(), &flex()).unwrap_err().to_string();
    assert!(error.contains("config.json: model_type `bert` is an encoder"), "{error}");
}

#[test]
fn learnt_positions_end() {
    let model = Backbone::init(&of("gpt2").to_string(), 1, &flex()).unwrap();
    let sequence = |tokens: usize| {
        let set = CandidateSet { prompt: vec![1; tokens], ..CandidateSet::default() };
        Batch::pack([&set], TargetTokens::None, 0)
    };
    assert!(model.hidden_states(&sequence(32), &[Layer::Last]).is_ok());
    let error = model.hidden_states(&sequence(33), &[Layer::Last]).unwrap_err();
    assert_eq!(error, InputError::TooLong { tokens: 33, limit: 32 });
    insta::assert_snapshot!(error.to_string(), @"a sequence of 33 tokens is too long; the model has 32 learned positions, so shorten the text");
    let mut cache = Cache::default();
    model.extend(&[1; 31], 1, &mut cache, &[Layer::Last]).unwrap();
    model.extend(&[1], 1, &mut cache, &[Layer::Last]).unwrap();
    let error = model.extend(&[1], 1, &mut cache, &[Layer::Last]).unwrap_err();
    assert_eq!(error, InputError::TooLong { tokens: 33, limit: 32 });
    // A rotation does not.
    let llama = with(&of("llama"), "max_position_embeddings", 8);
    let model = Backbone::init(&llama.to_string(), 1, &flex()).unwrap();
    assert!(model.hidden_states(&sequence(33), &[Layer::Last]).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_value_of_any_key_makes_a_panic(
        family in 0..10usize, key in 0..40usize,
        value in prop_oneof![
            Just(json!(0)), Just(json!(1)), Just(json!(7)), Just(json!(-1)), Just(json!(0.3)), Just(json!("x")),
            Just(json!(null)), Just(json!(true)), Just(json!([])), Just(json!({})),
        ],
    ) {
        let (_, mut config) = causal().swap_remove(family);
        let keys: Vec<String> = config.as_object().unwrap().keys().cloned().collect();
        config[&keys[key % keys.len()]] = value;
        let _ = Backbone::init(&config.to_string(), 1, &flex());
    }
}
