//! What an experiment would do and what it would cost: `--dry-run`.

use std::fmt;
use std::path::Path;
use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use dph_core::{CandidateSet, Layer};
use dph_data::{ChatTokenizer, LoadOptions, TaskData};
use dph_eval::BenchPlan;
use dph_model::{DecoderConfig, Family};

use crate::TrainError;
use crate::experiment::Experiment;
use crate::pipeline::base_config;
use crate::progress::seconds;
use crate::stages::data::StageData;
use crate::stages::head_config;

/// Share of the speed of one large matrix product that a whole model reaches.
const EFFICIENCY: f64 = 0.6;
/// Memory for activations and the program itself, in bytes.
const OVERHEAD: u64 = 700 << 20;
const F32: u64 = size_of::<f32>() as u64;

/// What an experiment would do and what it would cost. Its text form is what `--dry-run` prints.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// The model, in words.
    pub model: String,
    /// What each stage would do.
    pub stages: Vec<StageForecast>,
    /// Questions of the evaluation.
    pub questions: usize,
    /// Tokens of the evaluation, each prompt counted once.
    pub eval_tokens: usize,
    /// Estimated time of the evaluation in seconds.
    pub eval_seconds: f64,
    /// Estimated peak memory in bytes.
    pub memory: u64,
}

/// What a stage would do and what it would cost.
#[derive(Debug, Clone)]
pub struct StageForecast {
    /// Name of the stage.
    pub name: String,
    /// Parameters that learn.
    pub trained: usize,
    /// Candidate sets to learn from.
    pub sets: usize,
    /// How often each set is seen on average.
    pub epochs: f64,
    /// Tokens that go through the model: once for all sets with a frozen model, in every step otherwise.
    pub tokens: usize,
    /// Estimated time in seconds.
    pub seconds: f64,
}

impl Forecast {
    /// Reads the experiment's data and the model's configuration, but no weights, and times one matrix product on the
    /// device.
    pub fn new(experiment: &Experiment, data: &Path) -> Result<Self, TrainError> {
        let device = dph_core::device(&experiment.device)?;
        let plan = BenchPlan::new(
            &experiment.eval.suites,
            &experiment.eval.tasks,
            experiment.eval.split.as_deref(),
        )?;
        let data = experiment.data.as_deref().unwrap_or(data);
        let (json, tokenizer) = base_config(experiment, data)?;
        let config = Family::parse(&json)?.decoder()?;
        let speed = Speed { flops: flops(&device) * EFFICIENCY, config: &config };
        let parameters = config.param_count();
        let weights = parameters as u64 * F32;
        let mut memory = weights;

        let mut stages = Vec::new();
        for stage in &experiment.stages {
            let loaded = StageData::load(stage, experiment.seed, data, &tokenizer, config.context)?;
            let sets: usize = loaded.training.iter().map(|data| data.sets.len()).sum();
            let seen = (stage.steps * stage.batch) as f64;
            let packed = |data: &[TaskData]| -> usize {
                data.iter().flat_map(|data| &data.sets).map(CandidateSet::packed_len).sum()
            };
            let forecast = if stage.objective.dph.is_some() {
                let tokens = packed(&loaded.training) + packed(&loaded.validation);
                head_config(experiment, &config).check()?;
                let deepest = experiment.head.aggregation.layers_needed().iter().max();
                StageForecast {
                    name: stage.name.clone(),
                    trained: head_config(experiment, &config).parameters(),
                    sets,
                    epochs: seen / sets as f64,
                    tokens,
                    seconds: speed.forward(tokens, deepest.copied().unwrap_or_default()),
                }
            } else {
                let per_set = packed(&loaded.training) as f64 / sets as f64;
                let tokens = (per_set * seen) as usize;
                // Gradients, two averages and the weights to decay towards.
                memory = memory.max(5 * weights);
                StageForecast {
                    name: stage.name.clone(),
                    trained: parameters,
                    sets,
                    epochs: seen / sets as f64,
                    tokens,
                    seconds: 3.0 * speed.forward(tokens, Layer::Last),
                }
            };
            stages.push(forecast);
        }

        let (questions, eval_tokens) = evaluation(experiment, stage_plan(&plan), data, &tokenizer, &config)?;
        Ok(Self {
            model: format!("{}, {} in f32", count(parameters), bytes(weights)),
            stages,
            questions,
            eval_tokens,
            eval_seconds: speed.forward(eval_tokens, Layer::Last),
            memory: memory + OVERHEAD,
        })
    }
}

fn stage_plan(plan: &BenchPlan) -> impl Iterator<Item = (&dph_data::Task, &str)> {
    plan.tasks.iter().map(|planned| (&planned.task, planned.split.as_str()))
}

/// Number of questions and tokens of the evaluation.
fn evaluation<'a>(
    experiment: &Experiment,
    tasks: impl Iterator<Item = (&'a dph_data::Task, &'a str)>,
    root: &Path,
    tokenizer: &ChatTokenizer,
    config: &DecoderConfig,
) -> Result<(usize, usize), TrainError> {
    let (mut questions, mut tokens) = (0, 0);
    for (task, split) in tasks {
        let options = LoadOptions {
            limit: experiment.eval.limit,
            seed: experiment.eval.seed,
            max_len: Some(config.context),
            ..LoadOptions::default()
        };
        let data = TaskData::load(task, root, split, tokenizer, &options)?;
        questions += data.sets.len();
        tokens += data.sets.iter().map(CandidateSet::packed_len).sum::<usize>();
    }
    Ok((questions, tokens))
}

/// How fast a model runs on a device.
struct Speed<'a> {
    /// Floating-point operations a second.
    flops: f64,
    config: &'a DecoderConfig,
}

impl Speed<'_> {
    /// Seconds for a forward pass of so many tokens up to a layer: two operations for each weight of the blocks.
    fn forward(&self, tokens: usize, layer: Layer) -> f64 {
        let config = self.config;
        let width = config.d_vocab.unwrap_or(config.d_model);
        let embeddings = config.vocab * width * if config.tied_head { 1 } else { 2 };
        let blocks = config.param_count().saturating_sub(embeddings) as f64;
        let share = match layer {
            Layer::At(index) => index as f64 / config.n_layers as f64,
            Layer::Last => 1.0,
        };
        2.0 * blocks * share * tokens as f64 / self.flops
    }
}

/// Floating-point operations a second of a matrix product of a size that models have.
fn flops(device: &Device) -> f64 {
    const SIZE: usize = 1024;
    let matrix = || Tensor::<2>::random([SIZE, SIZE], Distribution::Default, device);
    let (a, b) = (matrix(), matrix());
    let run = || a.clone().matmul(b.clone()).sum().into_data();
    run();
    let start = Instant::now();
    let mut products = 0;
    while products < 3 || start.elapsed().as_secs_f64() < 0.3 {
        run();
        products += 1;
    }
    products as f64 * 2.0 * (SIZE as f64).powi(3) / start.elapsed().as_secs_f64()
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "model       {}", self.model)?;
        for stage in &self.stages {
            let StageForecast { name, trained, sets, epochs, tokens, seconds: time } = stage;
            writeln!(
                f,
                "stage {name:<5} trains {}; {sets} sets, {epochs:.1} epochs; {tokens} tokens, about {}",
                count(*trained),
                seconds(*time)
            )?;
        }
        writeln!(
            f,
            "evaluation  {} questions, {} tokens, about {}",
            self.questions,
            self.eval_tokens,
            seconds(self.eval_seconds)
        )?;
        write!(f, "memory      about {}", bytes(self.memory))
    }
}

fn count(parameters: usize) -> String {
    match parameters {
        0..10_000 => format!("{parameters} parameters"),
        10_000..1_000_000 => format!("{:.1}k parameters", parameters as f64 / 1e3),
        _ => format!("{:.1}M parameters", parameters as f64 / 1e6),
    }
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
