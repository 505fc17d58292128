//! Our side: the jobs with `dph-eval` and `dph-train`.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use burn::tensor::{Device, Tensor};
use dph_core::{CandidateSet, PreferenceHead, PreferenceHeadConfig};
use dph_eval::{Model, Scoring, score};
use dph_model::Sampling;
use dph_train::{RunOptions, run};
use serde_json::{Value, json};

use crate::generation::Generation;
use crate::job::Training;

/// The time and the results of a job.
pub struct Outcome {
    pub seconds: f64,
    pub values: Vec<f64>,
}

/// The model with an untrained head.
pub fn open(dir: &Path, device: &Device) -> Result<Model, Box<dyn Error>> {
    let mut model = Model::open(dir, device)?;
    let config = head_config(&model)?;
    model.head = Some((config.init(0, device), config));
    Ok(model)
}

/// Log-likelihood sums of all candidates; their rewards are also computed.
pub fn evaluate(model: &Model, sets: &[CandidateSet]) -> Result<Outcome, Box<dyn Error>> {
    let start = Instant::now();
    let scores = score(model, sets, &Scoring::default(), &mut |_| {})?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(Outcome { seconds, values: scores.iter().flatten().map(|scores| scores.loglik).collect() })
}

/// The tokens of all answers.
pub fn generate(model: &Model, generation: &Generation) -> Result<Outcome, Box<dyn Error>> {
    let sampling = Sampling { max_tokens: generation.tokens, ..Sampling::default() };
    let start = Instant::now();
    let mut values = Vec::new();
    for prompts in generation.prompts.chunks(generation.batch) {
        for generated in model.backbone.generate(prompts, &sampling, |_, _| ())? {
            values.extend(generated.tokens.into_iter().map(f64::from));
        }
    }
    Ok(Outcome { seconds: start.elapsed().as_secs_f64(), values })
}

/// The loss of every step and the weights of the trained head. The time includes all work of `dph-train`: reading the model and
/// the rows, features or the reference, training, checkpoints and the export.
pub fn train(
    training: &Training,
    device: &Device,
    name: &str,
    dir: &Path,
) -> Result<Outcome, Box<dyn Error>> {
    let file = training.experiment(name)?;
    let options = RunOptions { out: dir.join("run"), data: training.data.clone(), resume: false };
    let start = Instant::now();
    run(&file, &options)?;
    let seconds = start.elapsed().as_secs_f64();
    let [stage] = &file.experiment.stages[..] else { return Err("there must be one stage".into()) };
    let mut values = losses(&options.out.join("metrics.jsonl"))?;
    let (head, config) = PreferenceHead::load(&options.out.join(&stage.name), device)?;
    values.extend(weights(&head, config.d_model, device));
    Ok(Outcome { seconds, values })
}

/// The loss of every training step, from the metrics of a run.
fn losses(metrics: &Path) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut losses = Vec::new();
    for line in fs::read_to_string(metrics)?.lines() {
        let line: Value = serde_json::from_str(line)?;
        if line["split"] == "train" {
            losses.push(line["loss"].as_f64().ok_or("a step without a loss")?);
        }
    }
    Ok(losses)
}

/// The initial weights of the head in `dph-train`.
pub fn initial_head(model: &Model, seed: u64) -> Result<Vec<f64>, Box<dyn Error>> {
    let (config, device) = (head_config(model)?, model.backbone.device());
    Ok(weights(&config.init(seed, &device), config.d_model, &device))
}

/// The weights of an identity head without bias, which are its rewards for the unit vectors.
fn weights(head: &PreferenceHead, d_model: usize, device: &Device) -> Vec<f64> {
    head.forward(Tensor::eye(d_model, device)).into_data().iter::<f64>().collect()
}

/// The configuration of an identity head without bias on the last state.
fn head_config(model: &Model) -> Result<PreferenceHeadConfig, Box<dyn Error>> {
    let (d_model, d_ffn) = (model.backbone.d_model(), model.backbone.d_ffn());
    Ok(serde_json::from_value(json!({ "d_model": d_model, "d_ffn": d_ffn, "rewards": ["preference"] }))?)
}
