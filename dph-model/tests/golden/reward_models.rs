//! Reward models and adapters as other trainers leave them, against transformers and PEFT.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use dph_core::testing::{Golden, GoldenTensor, assert_close, read_tensors, say};
use dph_core::{Batch, Candidate, CandidateSet, Ending, Layer, TargetTokens};
use dph_model::checkpoint::{ConvertOptions, convert};
use dph_model::{Backbone, Classifier, Family, ModelFiles, Text, stored_head};

use crate::model::{devices, values};

const LIMIT: f64 = 5e-5;

type Tensors = BTreeMap<String, GoldenTensor>;

/// The token ids of each sequence, without its padding.
fn sequences(io: &Tensors) -> Vec<Vec<u32>> {
    let ids = &io["input_ids"];
    let rows = ids.values.chunks(ids.shape[1]).zip(&io["lengths"].values);
    rows.map(|(row, length)| row[..*length as usize].iter().map(|id| *id as u32).collect()).collect()
}

/// A batch with one sequence in each row, whose last token is the answer.
fn batch(sequences: &[Vec<u32>]) -> Batch {
    let set = |ids: &Vec<u32>| {
        let (prompt, answer) = ids.split_at(ids.len() - 1);
        let candidate = Candidate { tokens: answer.to_vec(), answer: 0..1, ..Candidate::default() };
        CandidateSet { prompt: prompt.to_vec(), candidates: vec![candidate], ..CandidateSet::default() }
    };
    let sets: Vec<_> = sequences.iter().map(set).collect();
    Batch::pack(&sets, TargetTokens::None, 0)
}

/// The rewards at the last token of each sequence, of the head that is stored in a model directory.
fn rewards(dir: &Path, sequences: &[Vec<u32>], device: &Device) -> Vec<f64> {
    let (head, config) = stored_head(&ModelFiles::open(dir).unwrap(), device).unwrap().unwrap();
    assert_ne!(config.ending, Ending::Turn);
    let model = Backbone::load(dir, device).unwrap();
    let batch = batch(sequences);
    let states = model.hidden_states(&batch, config.aggregation.layers_needed()).unwrap();
    values(head.forward_batch(&states, &batch))
}

fn classes(dir: &Path, sequences: &[Vec<u32>], device: &Device) -> Vec<f64> {
    let texts: Vec<Text> = sequences.iter().cloned().map(Text::single).collect();
    values(Classifier::load(dir, device).unwrap().logits(&texts).unwrap())
}

fn is_causal(dir: &Path) -> bool {
    let json = ModelFiles::open(dir).unwrap().config_json().unwrap();
    Family::parse(&json).unwrap().causal_decoder().is_ok()
}

/// Checks the logits of each folder of a section, computed by `logits`.
fn for_every_folder(section: &str, logits: impl Fn(&Path, &[Vec<u32>], &Device) -> Vec<f64>) {
    let folders = Golden::open().folders(section);
    let mut worst = 0.0_f64;
    for folder in &folders {
        let io = read_tensors(&folder.join("io.safetensors"));
        for (way, device) in devices() {
            let found = logits(folder, &sequences(&io), &device);
            let name = format!("{} ({way})", folder.display());
            assert_close(&name, &found, &io["logits"].values, LIMIT, 0.0);
            let apart =
                found.iter().zip(&io["logits"].values).map(|(found, expected)| (found - expected).abs());
            worst = apart.fold(worst, f64::max);
        }
    }
    say(&format!("GOLDEN {section}: {} directories, off by {worst:.1e} at most", folders.len()));
}

#[test]
fn golden_reward_models() {
    for_every_folder("reward_models", |dir, sequences, device| match is_causal(dir) {
        true => rewards(dir, sequences, device),
        false => classes(dir, sequences, device),
    });
}

#[test]
fn golden_adapters() {
    for_every_folder("adapters", |dir, sequences, device| {
        let dir = dir.join("adapter");
        let files = ModelFiles::open(&dir).unwrap();
        if stored_head(&files, device).unwrap().is_some() {
            return rewards(&dir, sequences, device);
        }
        let model = Backbone::load(&dir, device).unwrap();
        let batch = batch(sequences);
        let last = model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0);
        values(model.logits_at(last, &batch.ends))
    });
}

#[test]
fn golden_adapters_are_merged_into_directories() {
    let device = &devices()[0].1;
    for folder in Golden::open().folders("adapters") {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("merged");
        let adapter = folder.join("adapter");
        convert(&adapter, &out, &ConvertOptions::default()).unwrap();
        let io = read_tensors(&folder.join("io.safetensors"));
        let states = |dir: &Path| {
            let batch = batch(&sequences(&io));
            values(
                Backbone::load(dir, device).unwrap().hidden_states(&batch, &[Layer::Last]).unwrap().remove(0),
            )
        };
        assert!(states(&out) == states(&adapter), "{}", folder.display());
        let head = |dir: &Path| {
            let head = stored_head(&ModelFiles::open(dir).unwrap(), device).unwrap();
            head.map(|(head, config)| head.to_safetensors(&config))
        };
        assert!(head(&out) == head(&adapter), "{}", folder.display());
    }
}
