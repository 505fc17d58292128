//! One forward path: packed or separate, fused or composed, whole or through the cache, any batch: the same numbers.

#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

use burn::tensor::{Device, Tensor};
use dph_core::{Batch, Candidate, CandidateSet, Layer, PrefixRow, TargetTokens};
use dph_model::{Backbone, Cache, InputError};
use proptest::prelude::*;
use serde_json::{Value, json};

const VOCAB: u32 = 50;

fn flex() -> Device {
    dph_core::device("flex").unwrap()
}

/// Configurations of all causal families with weights large enough that attention is far from even.
fn configs() -> impl Strategy<Value = Value> {
    let llama = (1..4usize, 1..4usize, 1..4usize, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(n_layers, kv_heads, group, attention_bias, mlp_bias, tied)| {
            json!({
                "model_type": "llama", "vocab_size": VOCAB, "hidden_size": 16, "intermediate_size": 24,
                "num_hidden_layers": n_layers, "num_attention_heads": kv_heads * group,
                "num_key_value_heads": kv_heads, "head_dim": 6, "attention_bias": attention_bias,
                "mlp_bias": mlp_bias, "tie_word_embeddings": tied, "initializer_range": 0.2,
            })
        },
    );
    let lswt = (1..4usize, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), 0..3usize).prop_map(
        |(n_layers, gated, qk_norm, bias, reversed, registers)| {
            json!({
                "model_type": "lswt", "vocab_size": VOCAB, "d_vocab": 12, "d_model": 16, "d_ffn": 24, "n_heads": 2,
                "n_layers": n_layers, "gated_ffn": gated, "qk_norm": qk_norm, "enable_bias": bias,
                "n_registers": if reversed { 0 } else { registers }, "rope_reversed": reversed,
                "init_std": 0.2, "rope_ntk_scale": 2.0,
            })
        },
    );
    prop_oneof![2 => llama, 2 => lswt, 1 => qwen(), 1 => gpt_neox(), 1 => gpt(), 1 => opt()]
}

/// Configurations with as many hidden units as real models have at least.
fn wide_configs() -> impl Strategy<Value = Value> {
    let llama = (prop_oneof![Just(VOCAB), Just(300)], 0..3usize).prop_map(|(vocab_size, registers)| {
        json!({
            "model_type": "llama", "vocab_size": vocab_size, "hidden_size": 64, "intermediate_size": 96,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "max_position_embeddings": 1024, "initializer_range": 0.2, "n_registers": registers,
        })
    });
    let lswt = (any::<bool>(), any::<bool>(), 0..3usize, any::<bool>()).prop_map(
        |(gated, qk_norm, registers, longer)| {
            json!({
                "model_type": "lswt", "vocab_size": 300, "d_vocab": 64, "d_model": 64, "d_ffn": 96, "n_heads": 4,
                "n_layers": 2, "gated_ffn": gated, "qk_norm": qk_norm, "n_registers": registers, "init_std": 0.2,
                "rope_reversed": false, "rope_positions": if longer { 1024 } else { 256 },
            })
        },
    );
    prop_oneof![llama, lswt]
}

fn qwen() -> impl Strategy<Value = Value> {
    (1..3usize, 1..3usize, any::<bool>()).prop_map(|(n_layers, group, normalised)| {
        json!({
            "model_type": if normalised { "qwen3" } else { "qwen2" }, "vocab_size": VOCAB, "hidden_size": 16,
            "intermediate_size": 24, "num_hidden_layers": n_layers, "num_attention_heads": 2 * group,
            "num_key_value_heads": 2, "head_dim": 6, "tie_word_embeddings": true, "initializer_range": 0.2,
        })
    })
}

fn gpt_neox() -> impl Strategy<Value = Value> {
    let activation = prop_oneof![Just("gelu"), Just("quick_gelu"), Just("silu")];
    (1..3usize, prop_oneof![Just(0.25), Just(0.5), Just(1.0)], any::<bool>(), activation).prop_map(
        |(n_layers, rotary_pct, parallel, activation)| {
            json!({
                "model_type": "gpt_neox", "vocab_size": VOCAB, "hidden_size": 16, "intermediate_size": 24,
                "num_hidden_layers": n_layers, "num_attention_heads": 2, "rotary_pct": rotary_pct,
                "use_parallel_residual": parallel, "hidden_act": activation, "initializer_range": 0.2,
            })
        },
    )
}

fn gpt() -> impl Strategy<Value = Value> {
    (1..3usize, any::<bool>()).prop_map(|(n_layers, first)| {
        json!({
            "model_type": if first { "openai-gpt" } else { "gpt2" }, "vocab_size": VOCAB, "n_embd": 15, "n_head": 3,
            "n_layer": n_layers, "initializer_range": 0.2,
        })
    })
}

fn opt() -> impl Strategy<Value = Value> {
    (1..3usize, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(n_layers, factored, pre_norm, bias)| {
        json!({
            "model_type": "opt", "vocab_size": VOCAB, "hidden_size": 16, "ffn_dim": 24, "num_hidden_layers": n_layers,
            "num_attention_heads": 2, "word_embed_proj_dim": if factored { 8 } else { 16 },
            "do_layer_norm_before": pre_norm, "enable_bias": bias, "init_std": 0.2,
        })
    })
}

fn tokens(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..VOCAB, len)
}

fn candidate_sets(prompt: usize, sets: usize) -> impl Strategy<Value = Vec<CandidateSet>> {
    // Some candidates have a context of their own.
    let candidate = (tokens(0..4), tokens(1..9)).prop_map(|(own, turn)| Candidate {
        answer: own.len()..own.len() + turn.len() - 1,
        tokens: [own, turn].concat(),
        ..Candidate::default()
    });
    let candidates = prop::collection::vec(candidate, 1..5);
    let set = (tokens(1..prompt), candidates).prop_map(|(prompt, candidates)| CandidateSet {
        prompt,
        candidates,
        ..CandidateSet::default()
    });
    prop::collection::vec(set, 1..sets)
}

/// The last states of all candidates' ends, and the log-probabilities of all their tokens.
fn run(model: &Backbone, sets: &[CandidateSet]) -> (Vec<f32>, Vec<f32>) {
    let batch = Batch::pack(sets, TargetTokens::Turn, 0);
    let last = model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0);
    let log_probs = floats(model.log_probs(last.clone(), &batch.targets));
    let d_model = model.d_model();
    (ends(&batch, &floats(last), d_model), log_probs)
}

fn ends(batch: &Batch, states: &[f32], d_model: usize) -> Vec<f32> {
    batch.ends.iter().flat_map(|end| states[end * d_model..(end + 1) * d_model].to_vec()).collect()
}

fn alone(sets: &[CandidateSet]) -> Vec<CandidateSet> {
    sets.iter()
        .flat_map(|set| {
            // Alone, everything before its answer is the prompt.
            set.candidates.iter().map(|candidate| {
                let (context, turn) = candidate.tokens.split_at(candidate.answer.start);
                CandidateSet {
                    prompt: [&set.prompt, context].concat(),
                    candidates: vec![Candidate::new(turn.to_vec(), 0)],
                    ..set.clone()
                }
            })
        })
        .collect()
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// Two ways to compute in f32 agree to within 1e-5 of the largest number.
#[track_caller]
fn assert_close(what: &str, a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len(), "{what}");
    let largest = a.iter().fold(1.0, |largest: f32, x| largest.max(x.abs()));
    for (index, (a, b)) in a.iter().zip(b).enumerate() {
        // Written so that NaN fails.
        let close = (a - b).abs() <= 1e-5 * largest;
        assert!(close, "{what}: value {index} is {a} one way and {b} the other");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn packed_rows_equal_separate_ones(config in configs(), seed in 0..1000u64, sets in candidate_sets(12, 4)) {
        let model = Backbone::init(&config.to_string(), seed, &flex()).unwrap();
        prop_assert!(model.is_packable());
        let (packed, separate) = (run(&model, &sets), run(&model, &alone(&sets)));
        assert_close("states", &packed.0, &separate.0);
        assert_close("log-probabilities", &packed.1, &separate.1);
    }

    #[test]
    fn prompts_with_a_prefix_in_one_row_equal_separate_ones(
        config in configs(), seed in 0..1000u64, prefix in tokens(1..80), sets in candidate_sets(12, 6),
    ) {
        let sets: Vec<CandidateSet> = sets
            .into_iter()
            .map(|set| CandidateSet { prompt: [&prefix[..], &set.prompt].concat(), ..set })
            .collect();
        let log_probs = |device: &Device| {
            let model = Backbone::init(&config.to_string(), seed, device).unwrap();
            let row = PrefixRow { prefix: prefix.len(), sets: sets.iter().collect() };
            let batch = Batch::pack_rows(&[row, PrefixRow::alone(&sets[0])], TargetTokens::Turn, 0);
            let last = model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0);
            let found = floats(model.log_probs(last, &batch.targets));
            found[..found.len() - Batch::pack([&sets[0]], TargetTokens::Turn, 0).targets.len()].to_vec()
        };
        let model = Backbone::init(&config.to_string(), seed, &flex()).unwrap();
        let expected = run(&model, &alone(&sets)).1;
        assert_close("fused", &expected, &log_probs(&flex()));
        assert_close("composed", &expected, &log_probs(&flex().autodiff()));
    }

    // Prompts of several blocks of queries and of several sums of values.
    #[test]
    fn a_prompt_whose_beginning_is_stored_once_has_the_same_bits_on_flex(
        config in wide_configs(), seed in 0..1000u64, prefix in tokens(16..600),
        sets in prop::collection::vec((tokens(1..90), prop::collection::vec(tokens(2..12), 1..4)), 2..5),
    ) {
        let model = Backbone::init(&config.to_string(), seed, &flex()).unwrap();
        let set = |(rest, candidates): (Vec<u32>, Vec<Vec<u32>>)| CandidateSet {
            prompt: [&prefix[..], &rest].concat(),
            candidates: candidates.into_iter().map(|tokens| Candidate::new(tokens, 0)).collect(),
            ..CandidateSet::default()
        };
        let sets: Vec<CandidateSet> = sets.into_iter().map(set).collect();
        let run = |rows: &[PrefixRow<'_>]| {
            let batch = Batch::pack_rows(rows, TargetTokens::Turn, 0);
            let last = model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0);
            let log_probs = floats(model.log_probs(last.clone(), &batch.targets));
            (ends(&batch, &floats(last), 64), log_probs)
        };
        let alone: Vec<_> = sets.iter().map(|set| run(&[PrefixRow::alone(set)])).collect();
        let (states, log_probs): (Vec<_>, Vec<_>) = alone.into_iter().unzip();
        let row = PrefixRow { prefix: prefix.len(), sets: sets.iter().collect() };
        for rows in [vec![row.clone()], vec![PrefixRow::alone(&sets[0]), row]] {
            let (mut of_rows, mut probs_of_rows) = run(&rows);
            if rows.len() > 1 {
                of_rows.drain(..states[0].len());
                probs_of_rows.drain(..log_probs[0].len());
            }
            prop_assert_eq!(&of_rows, &states.concat());
            prop_assert_eq!(&probs_of_rows, &log_probs.concat());
        }
    }

    #[test]
    fn conversations_in_one_row_equal_separate_ones(
        config in configs(), seed in 0..1000u64, sets in candidate_sets(12, 6), rows in 1..4usize,
    ) {
        let run = |device: &Device, rows: &[Vec<&CandidateSet>]| {
            let model = Backbone::init(&config.to_string(), seed, device).unwrap();
            let batch = Batch::pack_conversations(rows, TargetTokens::Turn, 0);
            let last = model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0);
            floats(model.log_probs(last, &batch.targets))
        };
        let sets = alone(&sets);
        let packed: Vec<Vec<&CandidateSet>> =
            sets.chunks(sets.len().div_ceil(rows)).map(|row| row.iter().collect()).collect();
        let separate: Vec<Vec<&CandidateSet>> = sets.iter().map(|set| vec![set]).collect();
        let expected = run(&flex(), &separate);
        assert_close("fused", &expected, &run(&flex(), &packed));
        assert_close("composed", &expected, &run(&flex().autodiff(), &packed));
        let model = Backbone::init(&config.to_string(), seed, &flex()).unwrap();
        assert_close("behind prompts", &expected, &self::run(&model, &sets).1);
    }

    #[test]
    fn a_batch_equals_its_rows(config in configs(), seed in 0..1000u64, sets in candidate_sets(12, 4)) {
        let model = Backbone::init(&config.to_string(), seed, &flex()).unwrap();
        let together = run(&model, &sets);
        let rows: Vec<_> = sets.iter().map(|set| run(&model, std::slice::from_ref(set))).collect();
        assert_close("states", &together.0, &rows.iter().flat_map(|row| row.0.clone()).collect::<Vec<_>>());
        assert_close("log-probabilities", &together.1, &rows.iter().flat_map(|row| row.1.clone()).collect::<Vec<_>>());
    }

    #[test]
    fn fused_kernels_equal_composed_operations(
        config in configs(), registers in 0..3usize, dynamic in any::<bool>(), seed in 0..1000u64,
        // Long enough for several blocks of queries.
        sets in candidate_sets(160, 3),
    ) {
        let mut config = config;
        config["n_registers"] = registers.into();
        config["rope_dynamic"] = dynamic.into();
        config["rope_positions"] = 8.into();
        let fused = Backbone::init(&config.to_string(), seed, &flex()).unwrap();
        let composed = Backbone::init(&config.to_string(), seed, &flex().autodiff()).unwrap();
        let (fused, composed) = (run(&fused, &sets), run(&composed, &sets));
        assert_close("states", &fused.0, &composed.0);
        assert_close("log-probabilities", &fused.1, &composed.1);
    }

    #[test]
    fn a_cache_equals_the_whole(
        config in configs(), seed in 0..1000u64, ids in tokens(2..30), split in 0.0..1.0f64,
    ) {
        let model = Backbone::init(&config.to_string(), seed, &flex()).unwrap();
        let set = CandidateSet { prompt: ids.clone(), ..CandidateSet::default() };
        let batch = Batch::pack([&set], TargetTokens::None, 0);
        let whole = floats(model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0));
        let ids: Vec<i32> = ids.into_iter().map(|id| id as i32).collect();
        let (first, second) = ids.split_at(1 + (split * (ids.len() - 1) as f64) as usize);
        let mut cache = Cache::default();
        let mut states = Vec::new();
        for part in [first, second].into_iter().filter(|part| !part.is_empty()) {
            states.extend(floats(model.extend(part, 1, &mut cache, &[Layer::Last]).unwrap().remove(0)));
        }
        assert_close("states", &states, &whole);
    }
}

#[test]
fn a_log_probability_is_the_logarithm_of_the_softmax_of_the_logits() {
    let config = json!({
        "model_type": "lswt", "vocab_size": 3000, "d_vocab": 12, "d_model": 16, "d_ffn": 24, "n_heads": 2,
        "n_layers": 1, "init_std": 0.5,
    });
    let candidate = |tokens: &[u32]| Candidate::new(tokens.to_vec(), 0);
    let set = CandidateSet {
        prompt: vec![5, 2999, 17],
        candidates: vec![candidate(&[0, 1023, 1024, 9]), candidate(&[2999, 9])],
        ..CandidateSet::default()
    };
    for device in [flex(), flex().autodiff()] {
        let model = Backbone::init(&config.to_string(), 1, &device).unwrap();
        let batch = Batch::pack([&set, &set], TargetTokens::Turn, 0);
        let last = model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0);
        let found = floats(model.log_probs(last.clone(), &batch.targets));
        let logits = floats(model.logits(last));
        let expected: Vec<f32> = batch
            .targets
            .iter()
            .map(|target| {
                let row: Vec<f64> = logits[target.state * 3000..][..3000].iter().map(|&x| x.into()).collect();
                let total: f64 = row.iter().map(|x| x.exp()).sum();
                (row[target.token as usize] - total.ln()) as f32
            })
            .collect();
        assert_close("log-probabilities", &found, &expected);
        assert!(found.iter().all(|x| *x < 0.0));
    }
}

#[test]
fn log_probabilities_have_gradients_down_to_the_embedding() {
    let config = json!({
        "model_type": "lswt", "vocab_size": VOCAB, "d_vocab": 12, "d_model": 16, "d_ffn": 24, "n_heads": 2,
        "n_layers": 2, "init_std": 0.3, "n_registers": 2, "qk_norm": true, "rope_reversed": false,
    });
    let model = Backbone::init(&config.to_string(), 3, &flex().autodiff()).unwrap();
    let candidate = |tokens: &[u32]| Candidate::new(tokens.to_vec(), 0);
    let set = CandidateSet {
        prompt: vec![1, 2, 3],
        candidates: vec![candidate(&[4, 9]), candidate(&[5, 6, 9])],
        ..CandidateSet::default()
    };
    let loss = |model: &Backbone| {
        let batch = Batch::pack([&set], TargetTokens::Turn, 0);
        let last = model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0);
        model.log_probs(last, &batch.targets).sum()
    };
    let gradients = loss(&model).backward();
    let gradient = model.decoder.embedding.val().grad(&gradients).unwrap();
    let (row, column, step) = (2, 5, 1e-2);
    let analytic = floats(gradient)[row * 12 + column];
    let shifted = |by: f32| {
        let mut model = model.clone();
        let mut values = floats(model.decoder.embedding.val());
        values[row * 12 + column] += by;
        let data = burn::tensor::TensorData::new(values, [VOCAB as usize, 12]);
        model.decoder.embedding =
            burn::module::Param::from_tensor(Tensor::from_data(data, &flex().autodiff()));
        floats(loss(&model))[0]
    };
    let numeric = (shifted(step) - shifted(-step)) / (2.0 * step);
    assert!((analytic - numeric).abs() < 2e-2 * (1.0 + numeric.abs()), "{analytic} and {numeric}");
    let attention = &model.decoder.blocks[0].attention;
    assert!(attention.registers.as_ref().unwrap().keys.val().grad(&gradients).is_some());
    assert!(attention.norm.as_ref().unwrap().key.val().grad(&gradients).is_some());
}

#[test]
fn what_a_model_cannot_take_is_an_error() {
    let config = json!({
        "model_type": "lswt", "vocab_size": VOCAB, "d_vocab": 12, "d_model": 16, "d_ffn": 24, "n_heads": 2,
        "n_layers": 2,
    });
    let model = Backbone::init(&config.to_string(), 3, &flex()).unwrap();
    let batch = |token: u32| {
        Batch::pack([&CandidateSet { prompt: vec![token], ..CandidateSet::default() }], TargetTokens::None, 0)
    };
    let error = model.hidden_states(&batch(VOCAB), &[Layer::Last]).unwrap_err();
    assert_eq!(error, InputError::Token { token: 50, vocab: 50 });
    assert!(error.to_string().contains("does the tokenizer belong to this model"));
    let error = model.hidden_states(&batch(1), &[Layer::At(3)]).unwrap_err();
    assert_eq!(error, InputError::Layer { layer: 3, n_layers: 2 });
    assert!(model.hidden_states(&batch(1), &[Layer::At(2), Layer::Last, Layer::At(0)]).unwrap().len() == 3);
}

#[test]
fn only_models_whose_numbers_depend_on_the_length_are_not_packed() {
    let packable = |change: Value| {
        let mut config = json!({"model_type": "lswt", "rope_positions": 64});
        config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        dph_model::Family::parse(&config.to_string()).unwrap().decoder().unwrap().is_packable()
    };
    assert!(packable(json!({})));
    assert!(packable(json!({"n_registers": 2, "rope_reversed": false})));
    assert!(!packable(json!({"n_registers": 2})));
    assert!(!packable(json!({"rope_dynamic": true})));
}
