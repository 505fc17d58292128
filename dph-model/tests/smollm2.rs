//! A real model: SmolLM2-135M-Instruct, against Hugging Face transformers.
//!
//! It is looked for in `DPH_SMOLLM2`, then in `~/.cache/dph/models/SmolLM2-135M-Instruct`. Without it the test says so,
//! and fails in CI.

#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::PathBuf;

use burn::tensor::Tensor;
use dph_core::{Batch, Candidate, CandidateSet, Layer, TargetTokens};
use dph_model::{Backbone, Cache};

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

fn directory() -> Option<PathBuf> {
    let home = || std::env::home_dir().map(|home| home.join(".cache/dph/models/SmolLM2-135M-Instruct"));
    let dir = std::env::var_os("DPH_SMOLLM2").map(PathBuf::from).or_else(home)?;
    if dir.is_dir() {
        return Some(dir);
    }
    let message = format!("SmolLM2-135M-Instruct is not in {}; set DPH_SMOLLM2", dir.display());
    assert!(std::env::var_os("CI").is_none(), "{message}");
    // Past the test harness, which would keep the output of a test that passes to itself.
    std::io::stderr().write_all(format!("REAL MODEL: {message}. The test is left out\n").as_bytes()).unwrap();
    None
}

#[test]
fn a_real_model_continues_and_scores_as_in_transformers() {
    let Some(dir) = directory() else { return };
    let model = Backbone::load(dir, &dph_core::device("flex").unwrap()).unwrap();
    assert_eq!(model.config().param_count(), 134_515_008);

    let mut cache = Cache::default();
    let mut fed: Vec<i32> = PROMPT.map(|token| token as i32).to_vec();
    let mut found = Vec::new();
    for _ in 0..CONTINUATION.len() {
        let last = model.extend(&fed, 1, &mut cache, &[Layer::Last]).unwrap().remove(0);
        let logits = floats(model.logits(last.narrow(1, fed.len() - 1, 1)));
        let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
        found.push(best as u32);
        fed = vec![best as i32];
    }
    assert_eq!(found, CONTINUATION);

    // Beside another candidate, which must not change anything.
    let candidate = |tokens: &[u32]| Candidate { tokens: tokens.to_vec(), bytes: 0 };
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

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}
