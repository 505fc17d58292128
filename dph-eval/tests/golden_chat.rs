//! The program on conversations with chat templates: its log-likelihoods are those of the tokens that transformers makes
//! (`golden/chat`).
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use command::run_with;
use dph_core::testing::{Golden, list, say, tokenizer_folder_in};
use dph_core::{Candidate, CandidateSet};
use dph_eval::{Model, Ranking, Scoring, score};
use dph_model::Backbone;
use serde_json::{Value, json};

/// The tokenizer of the cases. Its vocabulary is small.
const TOKENIZER: &str = "llama";
const VOCAB: usize = 32_000;

#[test]
fn golden_chat_rankings() {
    let golden = Golden::open();
    let Some(json) = golden.json("chat/chat.json") else { return };
    let mut by_template = BTreeMap::<&str, Vec<&Value>>::new();
    for case in list(&json["cases"]) {
        if let (TOKENIZER, Some(template), true) =
            (case["tokenizer"].as_str().unwrap(), case["template"].as_str(), case["expected"].is_array())
        {
            by_template.entry(template).or_default().push(case);
        }
    }
    let device = dph_core::device("flex").unwrap();
    let config = json!({
        "model_type": "llama", "vocab_size": VOCAB, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "max_position_embeddings": 1024,
        "rope_theta": 10000.0, "tie_word_embeddings": true, "initializer_range": 0.2,
    });
    let backbone = Backbone::init(&config.to_string(), 5, &device).unwrap();
    let (mut ran, mut worst) = (0, 0.0_f64);
    for (template, cases) in by_template {
        let Some(place) = tokenizer_folder_in(&golden.folder.join("../data/tokenizers"), TOKENIZER) else {
            return;
        };
        backbone.save(place.path()).unwrap();
        let mut tokenizer = cases[0]["tokenizer_config"].clone();
        tokenizer["chat_template"] = template.into();
        fs::write(place.path().join("tokenizer_config.json"), tokenizer.to_string()).unwrap();
        let mut requests = String::new();
        for case in &cases {
            let request = json!({ "prompt": case["messages"], "candidates": case["candidates"] });
            writeln!(requests, "{request}").unwrap();
        }
        let printed = run_with(place.path(), &["rank", ".", "--scorer", "log", "--json"], &requests).ok();
        let model = Model::open(place.path(), &device).unwrap();
        for (case, line) in cases.iter().zip(printed.lines()) {
            let ranking: Ranking = serde_json::from_str(line).unwrap();
            for ranked in ranking.ranking {
                let set = set(&case["expected"][ranked.index]);
                let expected = score(&model, &[set], &Scoring::default(), &mut |_| {}).unwrap()[0][0].loglik;
                let found = ranked.scores["loglik-sum"].unwrap();
                worst = worst.max((found - expected).abs());
                assert!((found - expected).abs() < 1e-4, "{}: {found}, not {expected}", case["name"]);
                ran += 1;
            }
        }
        assert_eq!(printed.lines().count(), cases.len());
    }
    say(&format!("GOLDEN chat: {ran} log-likelihoods of `rank`, off by {worst:.1e} at most"));
}

/// The set of a candidate alone, of the tokens of transformers.
fn set(expected: &Value) -> CandidateSet {
    let ids: Vec<u32> = serde_json::from_value(expected["ids"].clone()).unwrap();
    let [start, end]: [usize; 2] = serde_json::from_value(expected["answer"].clone()).unwrap();
    let (prompt, tokens) = ids.split_at(start);
    CandidateSet {
        prompt: prompt.to_vec(),
        candidates: vec![Candidate {
            tokens: tokens.to_vec(),
            answer: 0..end - start,
            ..Candidate::default()
        }],
        ..CandidateSet::default()
    }
}
