//! What an experiment would do and what it would cost: `--dry-run`.

mod memory;
mod speed;
mod trained;

use std::fmt;
use std::path::Path;

use dph_core::terminal::numbers::{abbreviated, bytes, duration, grouped};
use dph_core::{CandidateSet, Layer};
use dph_data::{ChatTokenizer, DataError, LoadOptions, TaskData};
use dph_eval::BenchPlan;
use dph_model::DecoderConfig;

use crate::TrainError;
use crate::experiment::{Experiment, Stage, Trainable};
use crate::pipeline::{causal, described_model};
use crate::stages::data::StageData;
use crate::stages::{head_config, trainable};
pub(crate) use memory::check_memory;
use memory::stage_memory;
use speed::Speed;
use trained::trained;

/// What an experiment would do and what it would cost. Its text form is what `--dry-run` prints.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// The model, in words.
    pub model: String,
    /// What each stage would do.
    pub stages: Vec<StageForecast>,
    /// The evaluation; `None` where its data is not there.
    pub evaluation: Option<EvalForecast>,
}

/// What the evaluation would be and what it would cost.
#[derive(Debug, Clone)]
pub struct EvalForecast {
    /// Questions.
    pub questions: usize,
    /// Their tokens, each prompt counted once.
    pub tokens: usize,
    /// Estimated time in seconds, of all evaluations together.
    pub seconds: f64,
}

/// What a stage would do and what it would cost.
#[derive(Debug, Clone)]
pub struct StageForecast {
    /// Name of the stage.
    pub name: String,
    /// Parameters that learn.
    pub trained: usize,
    /// What goes through the model.
    pub load: StageLoad,
    /// Estimated peak memory in bytes.
    pub memory: u64,
    /// Estimated time in seconds.
    pub seconds: f64,
}

impl Forecast {
    /// Reads the experiment's data and the model's configuration, but no weights, and times one matrix product on the
    /// device.
    ///
    /// What is not there yet does not stop it: without a model at `path` its `new` describes it, of a model its
    /// `config.json` is enough, and without data, or a tokenizer to read it with, a stage is taken to fill the whole context.
    pub fn new(experiment: &Experiment, data: &Path) -> Result<Self, TrainError> {
        let device = dph_core::device(&experiment.device)?;
        let plan = BenchPlan::new(
            &experiment.eval.suites,
            &experiment.eval.tasks,
            experiment.eval.split.as_deref(),
        )?;
        let data = experiment.data.as_deref().unwrap_or(data);
        let (json, tokenizer) = described_model(experiment, data)?;
        let (family, config) = causal(experiment, &json)?;
        head_config(experiment, &config).check()?;
        let speed = Speed::measure(&device, &config);
        let parameters = config.param_count();

        let mut stages = Vec::new();
        for stage in &experiment.stages {
            let load = StageLoad::of(stage, experiment, data, tokenizer.as_ref(), &config)?;
            let frozen = trainable(experiment, stage) == Trainable::None;
            let deepest = experiment.head.aggregation.layers_needed().iter().max().copied();
            let seconds = match frozen {
                true => speed.forward(load.tokens, deepest.unwrap_or_default()),
                // Twice as much for the gradients, and a pass for the reference.
                false => {
                    let reference = if stage.objective.dpo.is_some() { load.set_tokens } else { 0 };
                    3.0 * speed.forward(load.tokens, Layer::Last) + speed.forward(reference, Layer::Last)
                }
            };
            let trained = trained(experiment, stage, &family, &config);
            let memory = stage_memory(experiment, stage, &config, trained);
            stages.push(StageForecast { name: stage.name.clone(), trained, seconds, memory, load });
        }

        let evaluated = match &tokenizer {
            Some(tokenizer) => evaluation(experiment, stage_plan(&plan), data, tokenizer, &config)?,
            None => None,
        };
        let times = 1 + experiment.eval.after.len();
        let precision = experiment.model.precision;
        Ok(Self {
            model: format!(
                "{} parameters, {} in {precision}",
                grouped(parameters),
                bytes((precision.bytes() * parameters) as u64)
            ),
            stages,
            evaluation: evaluated.map(|(questions, tokens)| EvalForecast {
                questions,
                tokens,
                seconds: times as f64 * speed.forward(tokens, Layer::Last),
            }),
        })
    }

    /// Estimated peak memory in bytes.
    pub fn memory(&self) -> u64 {
        self.stages.iter().map(|stage| stage.memory).max().unwrap_or(0)
    }
}

/// What goes through the model in a stage.
#[derive(Debug, Clone)]
pub struct StageLoad {
    /// Candidate sets to learn from; `None` where the data is not there.
    pub sets: Option<usize>,
    /// How often each set is seen on average.
    pub epochs: f64,
    /// Tokens that go through the model: once for all sets with a frozen model, in every step otherwise. Without data
    /// the most that there can be.
    pub tokens: usize,
    /// Tokens of all sets.
    set_tokens: usize,
}

impl StageLoad {
    fn of(
        stage: &Stage,
        experiment: &Experiment,
        data: &Path,
        tokenizer: Option<&ChatTokenizer>,
        config: &DecoderConfig,
    ) -> Result<Self, TrainError> {
        let seen = stage.steps * stage.batch;
        let unknown = Self { sets: None, epochs: 0.0, tokens: seen * config.context, set_tokens: 0 };
        let Some(tokenizer) = tokenizer else { return Ok(unknown) };
        let heads = &experiment.head.rewards;
        let loaded = match StageData::load(stage, heads, experiment.seed, data, tokenizer, config.context) {
            Ok(loaded) => loaded,
            Err(TrainError::Data(DataError::NotFound(_))) => return Ok(unknown),
            Err(error) => return Err(error),
        };
        let packed = |data: &[TaskData]| -> usize {
            data.iter().flat_map(|data| &data.sets).map(CandidateSet::packed_len).sum()
        };
        let sets: usize = loaded.training.iter().map(|data| data.sets.len()).sum();
        let set_tokens = packed(&loaded.training) + packed(&loaded.validation);
        let tokens = match trainable(experiment, stage) {
            Trainable::None => set_tokens,
            _ => (packed(&loaded.training) as f64 / sets as f64 * seen as f64) as usize,
        };
        Ok(Self { sets: Some(sets), epochs: seen as f64 / sets as f64, tokens, set_tokens })
    }
}

fn stage_plan(plan: &BenchPlan) -> impl Iterator<Item = (&dph_data::Task, &str)> {
    plan.tasks.iter().map(|planned| (&planned.task, planned.split.as_str()))
}

/// Number of questions and tokens of an evaluation; nothing where the data is not there.
fn evaluation<'a>(
    experiment: &Experiment,
    tasks: impl Iterator<Item = (&'a dph_data::Task, &'a str)>,
    root: &Path,
    tokenizer: &ChatTokenizer,
    config: &DecoderConfig,
) -> Result<Option<(usize, usize)>, TrainError> {
    let (mut questions, mut tokens) = (0, 0);
    for (task, split) in tasks {
        let options = LoadOptions {
            limit: experiment.eval.limit,
            seed: experiment.eval.seed,
            max_len: Some(config.context),
            ..LoadOptions::default()
        };
        let data = match TaskData::load(task, root, split, tokenizer, &options) {
            Ok(data) => data,
            Err(DataError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        questions += data.sets.len();
        tokens += data.sets.iter().map(CandidateSet::packed_len).sum::<usize>();
    }
    Ok(Some((questions, tokens)))
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "model       {}", self.model)?;
        for StageForecast { name, trained, load, memory, seconds: time } in &self.stages {
            let data = match load.sets {
                Some(sets) => format!("{sets} sets, {:.1} epochs; {} tokens", load.epochs, load.tokens),
                None => format!("data or tokenizer not there; at most {} tokens", load.tokens),
            };
            let (trained, time, memory) = (abbreviated(*trained), duration(*time), bytes(*memory));
            writeln!(
                f,
                "stage {name:<5} trains {trained} parameters; {data}, about {time}, {memory} of memory"
            )?;
        }
        match &self.evaluation {
            Some(EvalForecast { questions, tokens, seconds: time }) => {
                writeln!(f, "evaluation  {questions} questions, {tokens} tokens, about {}", duration(*time))?;
            }
            None => writeln!(f, "evaluation  data or tokenizer not there")?,
        }
        write!(f, "memory      about {}", bytes(self.memory()))
    }
}
