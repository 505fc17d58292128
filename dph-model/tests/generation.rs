//! Generation: the same tokens as by recomputing everything from scratch, whatever is generated beside it.

#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

use burn::tensor::Device;
use dph_core::{Batch, CandidateSet, Layer, TargetTokens};
use dph_model::{Backbone, Finish, Sampling};
use proptest::prelude::*;
use serde_json::{Value, json};

const VOCAB: u32 = 40;

fn flex() -> Device {
    dph_core::device("flex").unwrap()
}

/// Models whose numbers depend on positions in every way there is.
fn configs() -> impl Strategy<Value = Value> {
    let llama = json!({
        "model_type": "llama", "vocab_size": VOCAB, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.3, "max_position_embeddings": 48,
    });
    let lswt = (any::<bool>(), prop::bool::weighted(0.2), 0..3usize).prop_map(|(reversed, dynamic, registers)| {
        json!({
            "model_type": "lswt", "vocab_size": VOCAB, "d_vocab": 12, "d_model": 16, "d_ffn": 24, "n_heads": 2,
            "n_layers": 2, "n_registers": registers, "rope_reversed": reversed, "rope_dynamic": dynamic,
            "init_std": 0.3, "rope_positions": 48,
        })
    });
    prop_oneof![Just(llama), lswt]
}

/// The logits behind a sequence, computed from scratch.
fn logits(model: &Backbone, tokens: &[u32]) -> Vec<f32> {
    let set = CandidateSet { prompt: tokens.to_vec(), ..CandidateSet::default() };
    let batch = Batch::pack([&set], TargetTokens::None, 0);
    let last = model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0);
    model.logits_at(last, &[tokens.len() - 1]).into_data().try_to_vec().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_token_is_the_one_that_recomputing_finds(
        config in configs(), seed in 0..100u64,
        prompts in prop::collection::vec(prop::collection::vec(0..VOCAB, 1..12), 1..5),
        stop in prop::collection::vec(0..VOCAB, 0..6),
    ) {
        let model = Backbone::init(&config.to_string(), seed, &flex()).unwrap();
        // Where numbers depend on the length so far, earlier tokens would have others by now.
        prop_assume!(model.is_packable());
        let sampling = Sampling { max_tokens: 7, stop: stop.clone(), ..Sampling::default() };
        let mut heard = vec![Vec::new(); prompts.len()];
        let generated = model.generate(&prompts, &sampling, |place, token| heard[place].push(token)).unwrap();
        for ((prompt, generated), heard) in prompts.iter().zip(&generated).zip(&heard) {
            prop_assert_eq!(&generated.tokens, heard);
            let mut all = prompt.clone();
            for &token in &generated.tokens {
                let logits = logits(&model, &all);
                let best = logits.iter().copied().fold(f32::MIN, f32::max);
                // Where two are equally likely, rounding decides.
                prop_assert!(logits[token as usize] > best - 1e-4, "{token} at {}", all.len());
                prop_assert!(!stop.contains(&token));
                all.push(token);
            }
            match generated.finish {
                Finish::Length => prop_assert_eq!(generated.tokens.len(), 7),
                Finish::Stop => {
                    let logits = logits(&model, &all);
                    let best = logits.iter().copied().fold(f32::MIN, f32::max);
                    prop_assert!(stop.iter().any(|&token| logits[token as usize] > best - 1e-4));
                }
                Finish::Context => prop_assert!(false, "the context has room"),
            }
        }
    }

    #[test]
    fn a_sample_does_not_depend_on_its_company(config in configs(), seed in 0..100u64) {
        let model = Backbone::init(&config.to_string(), seed, &flex()).unwrap();
        let sampling = Sampling { temperature: 0.8, top_p: 0.9, max_tokens: 5, seed, ..Sampling::default() };
        let prompt = vec![3, 1, 4];
        let alone = model.generate(std::slice::from_ref(&prompt), &sampling, |_, _| ()).unwrap();
        let company = [prompt, vec![1], vec![5; 9]];
        let together = model.generate(&company, &sampling, |_, _| ()).unwrap();
        prop_assert_eq!(&alone[0], &together[0]);
    }
}

#[test]
fn a_full_context_ends_it_and_wrong_prompts_are_named() {
    let config = json!({
        "model_type": "lswt", "vocab_size": VOCAB, "d_vocab": 12, "d_model": 16, "d_ffn": 24, "n_heads": 2,
        "n_layers": 1, "rope_positions": 8,
    });
    let model = Backbone::init(&config.to_string(), 1, &flex()).unwrap();
    let generated = model.generate(&[vec![1; 5], vec![1; 7]], &Sampling::default(), |_, _| ()).unwrap();
    let ends: Vec<_> = generated.iter().map(|generated| (generated.tokens.len(), generated.finish)).collect();
    assert_eq!(ends, [(3, Finish::Context), (1, Finish::Context)]);
    let error = |prompts: &[Vec<u32>], sampling: &Sampling| {
        model.generate(prompts, sampling, |_, _| ()).unwrap_err().to_string()
    };
    let default = Sampling::default();
    assert!(error(&[vec![1], vec![]], &default).contains("prompt 1 is empty"));
    assert!(error(&[vec![1; 9]], &default).contains("prompt 0 has 9 tokens, but the model's context is 8"));
    assert!(error(&[vec![VOCAB]], &default).contains("40"));
    assert!(error(&[vec![1]], &Sampling { top_p: 2.0, ..default }).contains("top-p 2"));
    assert!(model.generate(&[], &Sampling::default(), |_, _| ()).unwrap().is_empty());
}
