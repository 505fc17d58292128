//! Generation: the same tokens as by recomputing everything from scratch, whatever is generated beside it.

#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

use burn::tensor::Device;
use dph_core::{Batch, CandidateSet, Layer, TargetTokens};
use dph_model::{AnswerId, Answers, Backbone, Computed, Finish, PromptRequest, Prompts, Sampling};
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

/// The states of a sequence at these columns, computed from scratch.
fn states(model: &Backbone, tokens: &[u32], layer: Layer) -> Vec<f32> {
    let set = CandidateSet { prompt: tokens.to_vec(), ..CandidateSet::default() };
    let batch = Batch::pack([&set], TargetTokens::None, 0);
    model.hidden_states(&batch, &[layer]).unwrap().remove(0).into_data().try_to_vec().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Answers of different prompts in any mixture, some of which are dropped on the way.
    #[test]
    fn answers_that_share_prompts_have_the_states_of_separate_sequences(
        config in configs(), seed in 0..100u64,
        prompts in prop::collection::vec(prop::collection::vec(0..VOCAB, 1..12), 1..4),
        owners in prop::collection::vec(0..4usize, 1..7),
        stop in prop::collection::vec(0..VOCAB, 0..4), dropped in 0..7usize, device in 0..2usize,
    ) {
        // The composed operations run under automatic differentiation.
        let device = if device == 0 { flex() } else { flex().autodiff() };
        let model = Backbone::init(&config.to_string(), seed, &device).unwrap();
        prop_assume!(model.is_packable());
        let sampling = Sampling { temperature: 1.0, max_tokens: 6, stop, seed, ..Sampling::default() };
        let ids: Vec<AnswerId> = owners
            .iter()
            .enumerate()
            .map(|(index, owner)| AnswerId { prompt: owner % prompts.len(), number: index as u64 })
            .collect();
        let (layers, end) = ([Layer::At(1), Layer::Last], 7);
        let computed = model.prompts(&prompts, &layers).unwrap();
        let mut answers = computed.answers(&ids, &sampling, Some(end)).unwrap();
        let mut tokens: Vec<Vec<u32>> = ids.iter().map(|id| prompts[id.prompt].clone()).collect();
        let mut ended = vec![false; ids.len()];
        for step in 0.. {
            for choice in answers.choose() {
                let drawn = choice.drawn.map(|drawn| (drawn.token, drawn.log_prob));
                if let Some((token, log_prob)) = drawn {
                    let logits = logits(&model, &tokens[choice.answer]);
                    let total: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum();
                    let expected = f64::from(logits[token as usize]) - total.ln();
                    prop_assert!((f64::from(log_prob) - expected).abs() < 1e-4);
                }
                tokens[choice.answer].extend(choice.token);
                prop_assert_eq!(choice.token.is_none(), choice.finish.is_some());
            }
            let probe = step % 2 == 1;
            let Some(found) = answers.compute(probe).unwrap() else { break };
            for (row, &answer) in found.answers.iter().enumerate() {
                let mut sequence = tokens[answer].clone();
                if found.ended[row] {
                    prop_assert_eq!(found.tokens[row], end);
                    ended[answer] = true;
                    sequence.push(end);
                }
                let behind = if probe && !found.ended[row] { 2 } else { 1 };
                if behind == 2 {
                    sequence.push(end);
                }
                for (layer, states_of_rows) in layers.iter().zip(&found.states) {
                    let width = states_of_rows.dims()[2];
                    let all = states(&model, &sequence, *layer);
                    let expected = &all[all.len() - behind * width..];
                    let row = states_of_rows.clone().narrow(0, row, 1).narrow(1, 0, behind);
                    let row: Vec<f32> = row.into_data().try_to_vec().unwrap();
                    for (a, b) in row.iter().zip(expected) {
                        prop_assert!((a - b).abs() < 1e-4 * (1.0 + b.abs()), "{a} and {b}");
                    }
                }
            }
            if step == 2 {
                answers.retain(|answer| answer != dropped);
            }
        }
        for answer in (0..ids.len()).filter(|&answer| answer != dropped) {
            prop_assert!(ended[answer]);
        }
        // The same text whatever else runs.
        let alone = AnswerId { prompt: 0, ..ids[0] };
        let text = |computed: &Prompts<'_>, id| -> Vec<Option<u32>> {
            let mut answers = computed.answers(&[id], &sampling, Some(end)).unwrap();
            let mut text = Vec::new();
            loop {
                text.extend(answers.choose().iter().map(|choice| choice.token));
                if answers.compute(false).unwrap().is_none() {
                    return text;
                }
            }
        };
        let prompt = model.prompts(std::slice::from_ref(&prompts[ids[0].prompt]), &layers).unwrap();
        prop_assert_eq!(text(&prompt, alone), text(&computed, ids[0]));
    }
}

/// Chosen tokens of answers, and their states.
#[derive(Default)]
struct Record {
    tokens: Vec<(usize, Option<u32>)>,
    states: Vec<f32>,
}

impl Record {
    fn choose(&mut self, answers: &mut Answers<'_>) {
        self.tokens.extend(answers.choose().iter().map(|choice| (choice.answer, choice.token)));
    }

    /// Returns whether answers grow.
    fn add(&mut self, computed: Option<Computed>) -> bool {
        let Some(computed) = computed else { return false };
        let states =
            computed.states.into_iter().flat_map(|states| states.into_data().try_to_vec::<f32>().unwrap());
        self.states.extend(states);
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Requests with one prompt or with several of different lengths.
    #[test]
    fn prompts_that_are_computed_together_are_those_that_they_are_alone(
        config in configs(), seed in 0..100u64,
        requests in prop::collection::vec(prop::collection::vec(prop::collection::vec(0..VOCAB, 1..12), 1..4), 2..5),
        device in 0..2usize,
    ) {
        let device = if device == 0 { flex() } else { flex().autodiff() };
        let model = Backbone::init(&config.to_string(), seed, &device).unwrap();
        let layers = [Layer::At(1), Layer::Last];
        let all: Vec<_> = requests.iter().map(|prompts| PromptRequest { prompts, prefix: None }).collect();
        let together = model.prompts_together(&all, &layers).unwrap();
        prop_assert_eq!(together.len(), requests.len());
        for (found, prompts) in together.iter().zip(&requests) {
            let alone = model.prompts(prompts, &layers).unwrap();
            prop_assert_eq!(found.padding(), alone.padding());
            for (a, b) in found.states().iter().zip(alone.states()) {
                let (a, b) = (a.to_data().iter::<f32>().collect::<Vec<_>>(), b.to_data());
                for (a, b) in a.into_iter().zip(b.iter::<f32>()) {
                    prop_assert!((a - b).abs() < 1e-4 * (1.0 + b.abs()), "{} and {}", a, b);
                }
            }
            let ids: Vec<AnswerId> = (0..prompts.len()).map(|prompt| AnswerId { prompt, number: 0 }).collect();
            let sampling = Sampling { temperature: 0.5, max_tokens: 4, seed, ..Sampling::default() };
            let [found, alone] = [found, &alone].map(|prompts| {
                let mut answers = prompts.answers(&ids, &sampling, None).unwrap();
                let mut record = Record::default();
                loop {
                    record.choose(&mut answers);
                    if !record.add(answers.compute(false).unwrap()) {
                        return record.tokens;
                    }
                }
            });
            prop_assert_eq!(found, alone);
        }
    }

    /// Prompts that were computed apart, with settings of their own, whose answers begin at different times.
    #[test]
    fn answers_that_grow_together_are_those_that_they_are_alone(
        config in configs(), seed in 0..100u64,
        prompts in prop::collection::vec((prop::collection::vec(0..VOCAB, 1..12), 1..4u64, any::<bool>()), 2..6),
        device in 0..2usize,
    ) {
        // The composed operations run under automatic differentiation.
        let device = if device == 0 { flex() } else { flex().autodiff() };
        let model = Backbone::init(&config.to_string(), seed, &device).unwrap();
        let begin = |index: usize| {
            let (prompt, count, _) = &prompts[index];
            let (temperature, max_tokens) = (0.5 + 0.3 * index as f64, 3 + 2 * index);
            let sampling = Sampling { temperature, max_tokens, seed, stop: vec![5], ..Sampling::default() };
            let ids: Vec<AnswerId> = (0..*count).map(|number| AnswerId { prompt: 0, number }).collect();
            let computed = model.prompts(std::slice::from_ref(prompt), &[Layer::At(1), Layer::Last]).unwrap();
            computed.answers(&ids, &sampling, Some(7)).unwrap()
        };
        // What is computed behind an answer changes it only if all numbers depend on the length.
        let probe = |index: usize| prompts[index].2 && model.is_packable();
        let alone = (0..prompts.len()).map(|index| {
            let (mut answers, mut record) = (begin(index), Record::default());
            loop {
                record.choose(&mut answers);
                if !record.add(answers.compute(probe(index)).unwrap()) {
                    return record;
                }
            }
        });
        let mut together: Vec<Record> = prompts.iter().map(|_| Record::default()).collect();
        let mut growing: Vec<(usize, Answers<'_>)> = Vec::new();
        for step in 0.. {
            growing.extend((step < prompts.len()).then(|| (step, begin(step))));
            if growing.is_empty() {
                break;
            }
            growing.iter_mut().for_each(|(index, answers)| together[*index].choose(answers));
            let all = growing.iter_mut().map(|(index, answers)| (answers, probe(*index))).collect();
            let mut computed = Answers::compute_together(all).unwrap().into_iter();
            growing.retain(|(index, _)| together[*index].add(computed.next().unwrap()));
        }
        for (found, expected) in together.iter().zip(alone) {
            prop_assert_eq!(&found.tokens, &expected.tokens);
            prop_assert_eq!(found.states.len(), expected.states.len());
            for (a, b) in found.states.iter().zip(&expected.states) {
                prop_assert!((a - b).abs() < 1e-4 * (1.0 + b.abs()), "{} and {}", a, b);
            }
        }
    }
}

#[test]
fn an_answer_that_is_cut_off_gets_its_end_computed() {
    let config = json!({
        "model_type": "lswt", "vocab_size": VOCAB, "d_vocab": 12, "d_model": 16, "d_ffn": 24, "n_heads": 2,
        "n_layers": 1, "rope_positions": 10,
    });
    let model = Backbone::init(&config.to_string(), 1, &flex()).unwrap();
    let run = |prompt: usize, max_tokens: usize| {
        let sampling = Sampling { max_tokens, ..Sampling::default() };
        let prompts = model.prompts(&[vec![1; prompt]], &[Layer::Last]).unwrap();
        let mut answers = prompts.answers(&[AnswerId { prompt: 0, number: 0 }], &sampling, Some(4))?;
        let (mut tokens, mut finish, mut ends) = (0, None, 0);
        loop {
            for choice in answers.choose() {
                tokens += usize::from(choice.token.is_some());
                finish = finish.or(choice.finish);
            }
            match answers.compute(true)? {
                Some(computed) => ends += usize::from(computed.ended[0]),
                None => return Ok::<_, dph_model::GenerateError>((tokens, finish.unwrap(), ends)),
            }
        }
    };
    assert_eq!(run(5, 2).unwrap(), (2, Finish::Length, 1));
    assert_eq!(run(5, 9).unwrap(), (3, Finish::Context, 1), "two tokens are reserved");
    assert_eq!(run(5, 0).unwrap(), (0, Finish::Length, 1));
    assert!(
        run(8, 9).unwrap_err().to_string().contains("prompt 0 has 8 tokens, but the model's context is 10")
    );
}
