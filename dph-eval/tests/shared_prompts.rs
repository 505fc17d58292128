//! How many tokens of real tasks are computed, and that the numbers do not change.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use dph_core::testing::{data_root, tokenizer_folder};
use dph_core::{CandidateSet, Layer, TargetTokens};
use dph_data::{ChatTokenizer, Task, TaskData, TaskLoadOptions};
use dph_eval::pass::{Pass, computed_tokens};
use dph_eval::{Model, Scoring, score};
use dph_model::Backbone;
use serde_json::json;
use support::head;

/// A tiny model for the tokens of SmolLM2.
fn model(tokenizer: ChatTokenizer) -> Model {
    let config = json!({
        "model_type": "llama", "vocab_size": 49152, "hidden_size": support::D_MODEL, "intermediate_size": 48,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 8192,
        "tie_word_embeddings": true, "initializer_range": 0.1,
    });
    let backbone = Backbone::init(&config.to_string(), 3, &dph_core::device("flex").unwrap()).unwrap();
    Model::new("tiny", backbone, tokenizer, Some(head(Layer::Last, &["preference"]))).unwrap()
}

#[test]
fn passages_and_examples_of_real_tasks_are_computed_once() {
    let Some(root) = data_root() else { return };
    let Some(folder) = tokenizer_folder("smollm2") else { return };
    let model = model(ChatTokenizer::from_dir(folder.path()).unwrap());
    // Tokens with shared prompts, as a share of the tokens without.
    for (task, few_shot, same_examples, shares) in [
        ("race_middle", 0, false, 0.5..0.75),
        ("race_high", 0, false, 0.7..0.9),
        ("boolq", 0, false, 0.7..0.98),
        ("arc_challenge", 0, false, 0.6..0.98),
        ("arc_challenge", 5, false, 0.9..1.0),
        ("arc_challenge", 5, true, 0.2..0.5),
        ("mmlu", 5, true, 0.2..0.6),
    ] {
        let task_file = Task::find(task).unwrap();
        let split = if task == "boolq" { "validation" } else { "test" };
        let options = TaskLoadOptions { few_shot, same_examples, ..TaskLoadOptions::default() };
        let sets = TaskData::load(&task_file, &root, split, &model.tokenizer, &options).unwrap().sets;
        let tokens = |pass: Pass| pass.tokens(0..pass.batches());
        let (targets, budget) = (TargetTokens::Answer, Scoring::default().token_budget);
        let alone = tokens(Pass::new(&model.backbone, &sets, targets, budget).unwrap());
        let shared = tokens(Pass::sharing_prefixes(&model.backbone, &sets, targets, budget).unwrap());
        // A forecast counts the same without weights.
        let is_packable = model.backbone.is_packable();
        let counted = [None, Some(budget)].map(|sharing| computed_tokens(is_packable, &sets, sharing));
        assert_eq!(counted, [alone, shared]);
        let share = shared as f64 / alone as f64;
        println!(
            "{task}, {few_shot}-shot, same {same_examples}: {} sets, {alone} tokens, {shared} shared: {share:.3}",
            sets.len()
        );
        assert!(shares.contains(&share), "{task}: {share}");
        assert_same_numbers(&model, &sets[..24]);
    }
}

/// Sets that are scored together have the numbers of each alone.
fn assert_same_numbers(model: &Model, sets: &[CandidateSet]) {
    let scores = |sets: &[CandidateSet]| score(model, sets, &Scoring::default(), &mut |_| {}).unwrap();
    for (set, found) in sets.iter().zip(scores(sets)) {
        for (found, alone) in found.iter().zip(&scores(std::slice::from_ref(set))[0]) {
            // To the bit.
            assert_eq!((found.loglik, &found.rewards), (alone.loglik, &alone.rewards), "{}", set.id);
        }
    }
}
