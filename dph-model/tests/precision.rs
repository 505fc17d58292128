//! Models whose matrices are kept in half precision.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use burn::tensor::{DType, Device};
use dph_core::{Batch, Candidate, CandidateSet, Layer, TargetTokens};
use dph_model::checkpoint::Precision;
use dph_model::{Backbone, LoadOptions, LoraConfig, Sampling};

use dph_model::testing::gguf::{llama, some_values};

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("tiny.gguf"), llama(some_values).bytes()).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn load(&self, precision: Precision, device: &Device) -> Backbone {
        let options = LoadOptions { precision, ..LoadOptions::default() };
        Backbone::load_with(self.path("tiny.gguf"), device, options).unwrap()
    }
}

fn device() -> Device {
    dph_core::device("flex").unwrap()
}

fn batch() -> Batch {
    let answer = Candidate::new(vec![40, 50, 2], 2);
    let set = CandidateSet { prompt: vec![1, 20, 30], candidates: vec![answer], ..CandidateSet::default() };
    Batch::pack([&set], TargetTokens::Answer, 0)
}

fn log_probs(model: &Backbone) -> Vec<f32> {
    let batch = batch();
    let last = model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0);
    assert_eq!(last.dtype(), DType::F32, "only matrices are of few bits");
    model.log_probs(last, &batch.targets).into_data().try_to_vec().unwrap()
}

#[test]
fn log_probabilities_in_half_precision_are_close() {
    let place = Place::new();
    let whole = log_probs(&place.load(Precision::F32, &device()));
    // Rounded to 8 and to 11 bits.
    for (precision, within) in [(Precision::Bf16, 3e-2), (Precision::F16, 4e-3)] {
        let model = place.load(precision, &device());
        assert_eq!(model.decoder.embedding.val().dtype(), precision.dtype());
        assert_eq!(model.decoder.blocks[0].mlp.output.weight.val().dtype(), precision.dtype());
        assert_eq!(model.decoder.blocks[0].mlp_norm.weight.val().dtype(), DType::F32);
        let half = log_probs(&model);
        let furthest = whole.iter().zip(&half).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(furthest > 0.0 && furthest < within, "{precision:?}: {furthest}");
        let sampling = Sampling { max_tokens: 3, ..Sampling::default() };
        assert_eq!(model.generate(&[vec![1, 20]], &sampling, |_, _| ()).unwrap()[0].tokens.len(), 3);
    }
}

#[test]
fn what_is_saved_are_the_rounded_weights_in_f32() {
    let place = Place::new();
    let half = place.load(Precision::Bf16, &device());
    half.save(place.path("saved")).unwrap();
    let saved = Backbone::load(place.path("saved"), &device()).unwrap();
    let values = |model: &Backbone| -> Vec<f32> {
        model.decoder.blocks[0].attention.qkv.weight.val().into_data().iter::<f32>().collect()
    };
    assert_eq!(values(&saved), values(&half));
    assert_ne!(values(&saved), values(&place.load(Precision::F32, &device())));
}

#[test]
fn adapters_beside_matrices_in_half_precision_learn_in_f32() {
    let place = Place::new();
    let half = place.load(Precision::Bf16, &device().autodiff());
    let adapted = half.with_lora(&LoraConfig::default(), 3).unwrap();
    let batch = batch();
    let last = adapted.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0);
    let gradients = adapted.log_probs(last, &batch.targets).sum().backward();
    let adapter = adapted.decoder.blocks[0].mlp.output.weight.adapter().unwrap();
    let gradient = adapter.b.val().grad(&gradients).unwrap();
    assert_eq!(gradient.dtype(), DType::F32);
    assert!(gradient.abs().max().into_scalar::<f32>() > 0.0);
}

#[test]
fn weights_beyond_f16_are_an_error() {
    let place = Place::new();
    let large = |name: &str, len| match name {
        _ if name.ends_with("down_proj.weight") => vec![7e4; len],
        _ => some_values(name, len),
    };
    fs::write(place.path("tiny.gguf"), llama(large).bytes()).unwrap();
    let options = LoadOptions { precision: Precision::F16, ..LoadOptions::default() };
    let said = Backbone::load_with(place.path("tiny.gguf"), &device(), options).unwrap_err().to_string();
    assert!(said.contains("down_proj") && said.contains("65504"), "{said}");
}
