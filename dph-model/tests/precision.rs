//! A device that computes in bf16: each test in a process of its own, for that is settled once in a process.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/gguf.rs"]
mod gguf;

use std::fs;
use std::io::Write;
use std::process::Command;

use burn::tensor::DType;
use dph_core::{Batch, Candidate, CandidateSet, Layer, TargetTokens};
use dph_model::checkpoint::Precision;
use dph_model::{Backbone, LoadOptions};

use gguf::{llama, some_values};

const PRECISION: &str = "DPH_TEST_PRECISION";

/// Log-probabilities of a tiny model, which say what it computes, on the standard error of another process.
#[test]
fn log_probabilities_in_bf16_are_close() {
    if let Ok(precision) = std::env::var(PRECISION) {
        let values = log_probs(precision.parse().unwrap());
        return std::io::stderr().write_all(format!("{values:?}\n").as_bytes()).unwrap();
    }
    let of = |precision: &str| -> Vec<f32> {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "log_probabilities_in_bf16_are_close"]).env(PRECISION, precision);
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let line = said.lines().find(|line| line.starts_with('[')).unwrap_or_else(|| panic!("{said}"));
        serde_json::from_str(line).unwrap()
    };
    let (whole, half) = (of("f32"), of("bf16"));
    assert!(whole != half && whole.len() == 2);
    assert!(whole.iter().zip(&half).all(|(a, b)| (a - b).abs() < 0.1), "{whole:?} {half:?}");
}

fn log_probs(precision: Precision) -> Vec<f32> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tiny.gguf");
    fs::write(&path, llama(some_values).bytes()).unwrap();
    let device = dph_core::device("flex").unwrap();
    let load =
        |precision| Backbone::load_with(&path, &device, LoadOptions { precision, ..LoadOptions::default() });
    let said = load(Precision::F16).unwrap_err().to_string();
    assert!(
        said.contains("a model cannot be computed in float16") && said.contains("use bfloat16"),
        "{said}"
    );
    let model = load(precision).unwrap();
    let expected = if precision == Precision::F32 { DType::F32 } else { DType::BF16 };
    assert_eq!(model.decoder.embedding.val().dtype(), expected);
    match precision {
        // Again is no change.
        Precision::Bf16 => assert!(load(Precision::Bf16).is_ok()),
        _ => {
            let said = load(Precision::Bf16).unwrap_err().to_string();
            assert!(said.contains("has computed in another precision already"), "{said}");
        }
    }
    let answer = Candidate { tokens: vec![40, 50, 2], bytes: 2 };
    let set = CandidateSet { prompt: vec![1, 20, 30], candidates: vec![answer], ..CandidateSet::default() };
    let batch = Batch::pack([&set], TargetTokens::Answer, 0);
    let last = model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0);
    model.log_probs(last, &batch.targets).into_data().iter::<f32>().collect()
}
