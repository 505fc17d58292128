//! A real model: SmolLM2-135M-Instruct, against Hugging Face transformers.
//!
//! It is looked for in `DPH_SMOLLM2`, then in `~/.cache/dph/models/SmolLM2-135M-Instruct`. Without it the test says so,
//! and fails in CI.

#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

use burn::tensor::Tensor;
use dph_core::testing::{data_file, smollm2, smollm2_gguf};
use dph_core::{Batch, Candidate, CandidateSet, Layer, TargetTokens, best_index};
use dph_model::{Backbone, Cache, Sampling};
use tokenizers::Tokenizer;

/// `tokenizer("The three primary colours are red, yellow and")`.
const PROMPT: [u32; 9] = [504, 1296, 3003, 14797, 359, 2382, 28, 5724, 284];
/// `model.generate(prompt, max_new_tokens=16, do_sample=False)`: " blue.\n\nThe color of the universe is a mathematical
/// concept that has been".
const CONTINUATION: [u32; 16] =
    [4461, 30, 198, 198, 504, 2380, 282, 260, 6128, 314, 253, 7132, 1909, 338, 553, 719];
/// `model(all).logits.log_softmax(-1)` at these tokens, to four decimals.
const LOG_PROBS: [f32; 16] = [
    -0.2131, -0.5621, -1.9297, -0.3266, -1.386, -3.1646, -1.0663, -0.6687, -1.675, -0.9654, -2.4255, -2.936,
    -0.6668, -1.6883, -1.7622, -0.6733,
];

/// Tokens of the first 50 lines of more than 100 characters of WikiText-2's `wiki.test.raw`, but for the first of each.
const PREDICTED: usize = 6836;
/// Their mean negative log-likelihood, every line by itself, as it stands in the file: `model(ids).logits` of transformers
/// 4.51.3 with f32 weights, `log_softmax` in f64.
const MEAN_NLL: f64 = 3.875_696_999_113_87;

#[test]
fn a_real_model_continues_and_scores_as_in_transformers() {
    let Some(dir) = smollm2() else { return };
    let model = Backbone::load(dir, &dph_core::device("flex").unwrap()).unwrap();
    assert_eq!(model.config().param_count(), 134_515_008);

    let mut cache = Cache::default();
    let mut fed: Vec<i32> = PROMPT.map(|token| token as i32).to_vec();
    let mut found = Vec::new();
    for _ in 0..CONTINUATION.len() {
        let last = model.extend(&fed, 1, &mut cache, &[Layer::Last]).unwrap().remove(0);
        let logits = floats(model.logits(last.narrow(1, fed.len() - 1, 1)));
        let best = best_index(logits).unwrap();
        found.push(best as u32);
        fed = vec![best as i32];
    }
    assert_eq!(found, CONTINUATION);

    // Beside another candidate, which must not change anything.
    let candidate = |tokens: &[u32]| Candidate::new(tokens.to_vec(), 0);
    let set = CandidateSet {
        prompt: PROMPT.to_vec(),
        candidates: vec![candidate(&[2, 3, 4]), candidate(&CONTINUATION)],
        ..CandidateSet::default()
    };
    let batch = Batch::pack([&set], TargetTokens::Turn, model.pad_token());
    let last = model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0);
    let log_probs = floats(model.log_probs(last, &batch.targets));
    for (found, expected) in log_probs[3..].iter().zip(LOG_PROBS) {
        assert!((found - expected).abs() < 2e-4, "{found}, not {expected}");
    }
}

#[test]
fn a_directory_and_a_gguf_file_say_the_same() {
    let Some(gguf) = smollm2_gguf() else { return };
    let Some(dir) = smollm2() else { return };
    let say = |path| {
        let model = Backbone::load(path, &dph_core::device("flex").unwrap()).unwrap();
        let sampling = Sampling { max_tokens: 64, ..Sampling::default() };
        model.generate(&[PROMPT.to_vec()], &sampling, |_, _| ()).unwrap().remove(0).tokens
    };
    let said: Vec<u32> = say(dir);
    assert_eq!((said.len(), &said[..CONTINUATION.len()]), (64, &CONTINUATION[..]));
    assert_eq!(say(gguf), said);
}

#[test]
fn the_perplexity_of_real_text_is_that_of_transformers() {
    let Some(text) = data_file("text/wikitext-2/wiki.test.raw") else { return };
    let Some(dir) = smollm2() else { return };
    let tokenizer = Tokenizer::from_file(dir.join("tokenizer.json")).unwrap();
    let model = Backbone::load(dir, &dph_core::device("flex").unwrap()).unwrap();
    let text = std::fs::read_to_string(text).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.chars().count() > 100).take(50).collect();
    let (mut sum, mut count) = (0.0, 0);
    for lines in lines.chunks(5) {
        let set = |line: &&str| {
            let tokens = tokenizer.encode(*line, false).unwrap().get_ids().to_vec();
            let rest = Candidate::new(tokens[1..].to_vec(), 0);
            CandidateSet { prompt: vec![tokens[0]], candidates: vec![rest], ..CandidateSet::default() }
        };
        let sets: Vec<_> = lines.iter().map(set).collect();
        let batch = Batch::pack(&sets, TargetTokens::Turn, model.pad_token());
        let last = model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0);
        let log_probs = floats(model.log_probs(last, &batch.targets));
        sum -= log_probs.iter().map(|&log_prob| f64::from(log_prob)).sum::<f64>();
        count += log_probs.len();
    }
    assert_eq!(count, PREDICTED);
    let (found, expected) = ((sum / count as f64).exp(), MEAN_NLL.exp());
    assert!((found / expected - 1.0).abs() < 1e-3, "{found}, not {expected}");
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}
