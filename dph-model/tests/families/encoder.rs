//! Encoders: one text at a time or many, fused or composed, the same numbers.

use dph_core::Layer;
use dph_model::{Classifier, Encoder, InputError, Text};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::configs::{flex, floats};

const D_MODEL: usize = 12;

/// A small BERT of a class of Hugging Face.
pub fn bert(class: &str) -> Value {
    json!({
        "model_type": "bert", "architectures": [class], "vocab_size": 30, "hidden_size": D_MODEL,
        "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 3, "max_position_embeddings": 90,
        "initializer_range": 0.2, "id2label": {"0": "no", "1": "yes"},
    })
}

fn texts() -> impl Strategy<Value = Vec<Text>> {
    let text = prop::collection::vec((0..30u32, 0..2u32), 1..90).prop_map(|pairs| {
        let (tokens, token_types) = pairs.into_iter().unzip();
        Text { tokens, token_types }
    });
    prop::collection::vec(text, 1..4)
}

/// The states of all tokens, without padding.
fn states(model: &Encoder, texts: &[Text]) -> Vec<f32> {
    let last = model.hidden_states(texts, &[Layer::Last]).unwrap().remove(0);
    let seq = last.dims()[1];
    let all = floats(last);
    let rows = texts.iter().enumerate();
    rows.flat_map(|(row, text)| {
        let start = row * seq * D_MODEL;
        all[start..start + text.tokens.len() * D_MODEL].to_vec()
    })
    .collect()
}

fn close(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs().max(1.0))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_text_has_the_same_states_alone_and_among_others_fused_and_composed(texts in texts(), seed in 0..100u64) {
        let config = bert("BertModel").to_string();
        let fused = Encoder::init(&config, seed, &flex()).unwrap();
        let together = states(&fused, &texts);
        let alone: Vec<f32> =
            texts.iter().flat_map(|text| states(&fused, std::slice::from_ref(text))).collect();
        prop_assert!(close(&together, &alone));
        let composed = Encoder::init(&config, seed, &flex().autodiff()).unwrap();
        prop_assert!(close(&together, &states(&composed, &texts)));
    }
}

#[test]
fn every_token_sees_those_behind_it() {
    let model = Encoder::init(&bert("BertModel").to_string(), 1, &flex()).unwrap();
    let first = |tokens: &[u32]| states(&model, &[Text::single(tokens.to_vec())])[..D_MODEL].to_vec();
    assert_ne!(first(&[1, 2, 3]), first(&[1, 2, 4]));
}

#[test]
fn absent_token_types_are_zeros() {
    let model = Encoder::init(&bert("BertModel").to_string(), 1, &flex()).unwrap();
    let text = |token_types: &[u32]| Text { tokens: vec![1, 2], token_types: token_types.to_vec() };
    assert_eq!(states(&model, &[text(&[])]), states(&model, &[text(&[0, 0])]));
    assert_ne!(states(&model, &[text(&[])]), states(&model, &[text(&[0, 1])]));
}

#[test]
fn a_classifier_knows_its_labels() {
    let json = bert("BertForSequenceClassification").to_string();
    let model = Classifier::init(&json, 1, &flex()).unwrap();
    assert_eq!(model.labels(), ["no", "yes"]);
    assert_eq!(model.logits(&[Text::single(vec![1]), Text::single(vec![1, 2])]).unwrap().dims(), [2, 2]);
    let error = Classifier::init(&bert("BertModel").to_string(), 1, &flex()).unwrap_err().to_string();
    assert!(error.ends_with("train one with the objective `classify`"), "{error}");
}

#[test]
fn what_an_encoder_cannot_take_is_an_error() {
    let model = Encoder::init(&bert("BertModel").to_string(), 1, &flex()).unwrap();
    let error = |text: Text| {
        let texts = [Text::single(vec![1]), text];
        model.hidden_states(&texts, &[Layer::Last]).unwrap_err()
    };
    assert_eq!(error(Text::default()), InputError::Empty { sequence: 1 });
    assert_eq!(error(Text::single(vec![30])), InputError::Token { token: 30, vocab: 30 });
    assert_eq!(error(Text::single(vec![1; 91])), InputError::TooLong { tokens: 91, limit: 90 });
    let text = |token_types: &[u32]| Text { tokens: vec![1, 2], token_types: token_types.to_vec() };
    assert_eq!(error(text(&[0, 2])), InputError::TokenType { token_type: 2, token_types: 2 });
    assert_eq!(error(text(&[0])), InputError::TokenTypes { sequence: 1, tokens: 2, token_types: 1 });
    assert!(model.hidden_states(&[Text::single(vec![1])], &[Layer::At(3)]).is_err());
    assert!(model.hidden_states(&[], &[Layer::Last]).is_err());
}
