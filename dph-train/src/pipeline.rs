//! From an experiment to a run: the model, the stages, the evaluation, the report.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use burn::tensor::Device;
use dph_data::{ChatTokenizer, Documents, LoadOptions, Task, World, add_special_tokens, train_tokenizer};
use dph_eval::{Bench, BenchOptions, BenchPlan, Model, Results, ScorerChoice};
use dph_model::{Backbone, Family};

use crate::experiment::{Experiment, TokenizerSource, TrainedTokenizer};
use crate::experiment_file::ExperimentFile;
use crate::forecast::check_memory;
use crate::report;
use crate::run_dir::{Manifest, RunDir, write_atomically};
use crate::stages::{StageContext, copy_tokenizer, tokenizer};
use crate::{StageProgress, TrainError};

/// Where and how an experiment runs.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The run directory.
    pub out: PathBuf,
    /// Root of the data sets, where the experiment does not say.
    pub data: PathBuf,
    /// Go on with an interrupted run.
    pub resume: bool,
}

/// Runs an experiment from its model to its report, and gives the results of its evaluations: those after single stages,
/// then that of the last one.
///
/// ```no_run
/// use dph_train::{ExperimentFile, RunOptions, run};
///
/// let file = ExperimentFile::read("experiments/quickstart.toml".as_ref(), &["seed=7".into()])?;
/// let options = RunOptions { out: "runs/quickstart".into(), data: "data".into(), resume: false };
/// for bench in run(&file, &options)? {
///     print!("{}", dph_eval::Table::new(&[bench.results]).to_text());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn run(file: &ExperimentFile, options: &RunOptions) -> Result<Vec<Bench>, TrainError> {
    let experiment = &file.experiment;
    let device = dph_core::device(&experiment.device)?;
    let plan =
        BenchPlan::new(&experiment.eval.suites, &experiment.eval.tasks, experiment.eval.split.as_deref())?;
    // What can be seen to be wrong at once must not move an earlier run aside.
    let data = experiment.data.as_deref().unwrap_or(&options.data);
    let family = Family::parse(&base_config(experiment, data)?)?;
    check_memory(experiment, &family, &family.decoder()?)?;
    let run = RunDir::open(&options.out, experiment, &file.source, options.resume)?;

    let base = base_model(experiment, data, &run, &device)?;
    write_manifest(experiment, &run, &base)?;

    let features = run.path().parent().unwrap_or(Path::new(".")).join("features");
    let journal = run.path().join("metrics.jsonl");
    let context = StageContext { experiment, data, device: &device, journal: &journal, features: &features };
    let mut model_dir = base;
    let mut benches = Vec::new();
    for stage in &experiment.stages {
        let checkpoints = run.checkpoints(&stage.name);
        model_dir = run.once(&stage.name, |export| context.run(stage, &model_dir, &checkpoints, export))?;
        let is_last = experiment.stages.last().is_some_and(|last| last.name == stage.name);
        if experiment.eval.after.contains(&stage.name) && !is_last {
            let mut bench = evaluate(experiment, &plan, &model_dir, data, &device)?;
            bench.results.name = stage.name.clone();
            benches.push(bench);
        }
    }

    let mut bench = evaluate(experiment, &plan, &model_dir, data, &device)?;
    bench.save(run.path())?;
    if let (false, Some(last)) = (benches.is_empty(), experiment.stages.last()) {
        bench.results.name = last.name.clone();
    }
    benches.push(bench);
    report::write(run.path(), &run.resolved()?, &experiment.name, &benches)?;
    Ok(benches)
}

/// The `config.json` of the model that the first stage starts from; nothing is loaded or kept.
fn base_config(experiment: &Experiment, data: &Path) -> Result<String, TrainError> {
    let model = &experiment.model;
    if let Some(path) = &model.path {
        if !path.is_dir() {
            return Err(TrainError::NoModel { path: path.clone() });
        }
        let config = path.join("config.json");
        return fs::read_to_string(&config).map_err(|source| TrainError::io(&config, source));
    }
    Ok(new_config(model.new.clone().unwrap_or_default(), &new_tokenizer(experiment, data)?))
}

/// The `config.json` of the model that the first stage starts from and its tokenizer, as far as they are there: without
/// the directory at `path`, `new` describes the model, and without its tokenizer there is none.
pub(crate) fn described_model(
    experiment: &Experiment,
    data: &Path,
) -> Result<(String, Option<ChatTokenizer>), TrainError> {
    let model = &experiment.model;
    match &model.path {
        Some(path) if path.is_dir() => {
            let dir = tempdir()?;
            copy_tokenizer(path, dir.path())?;
            return Ok((base_config(experiment, data)?, Some(final_tokenizer(experiment, dir.path())?)));
        }
        Some(path) if model.new.is_none() => return Err(TrainError::NoModel { path: path.clone() }),
        _ => {}
    }
    let config = model.new.clone().unwrap_or_default();
    let there = match &model.tokenizer {
        Some(TokenizerSource::Given(name)) => name == "world" || Path::new(name).is_dir(),
        _ => true,
    };
    if !there && config.contains_key("vocab_size") {
        return Ok((serde_json::to_string(&config).unwrap_or_default(), None));
    }
    let dir = tempdir()?;
    write_tokenizer(experiment, data, dir.path())?;
    let config = new_config(config, &tokenizer(experiment, dir.path())?);
    Ok((config, Some(final_tokenizer(experiment, dir.path())?)))
}

/// The tokenizer in a folder of its own with the tokens that all stages add.
fn final_tokenizer(experiment: &Experiment, folder: &Path) -> Result<ChatTokenizer, TrainError> {
    for stage in &experiment.stages {
        add_special_tokens(folder, &stage.add_tokens)?;
    }
    tokenizer(experiment, folder)
}

fn tempdir() -> Result<tempfile::TempDir, TrainError> {
    tempfile::tempdir().map_err(|source| TrainError::io(&std::env::temp_dir(), source))
}

/// The tokenizer of a new model.
fn new_tokenizer(experiment: &Experiment, data: &Path) -> Result<ChatTokenizer, TrainError> {
    let dir = tempdir()?;
    write_tokenizer(experiment, data, dir.path())?;
    tokenizer(experiment, dir.path())
}

fn write_tokenizer(experiment: &Experiment, data: &Path, dir: &Path) -> Result<(), TrainError> {
    match &experiment.model.tokenizer {
        None => Ok(World::default().write_tokenizer(dir)?),
        Some(TokenizerSource::Given(name)) if name == "world" => Ok(World::default().write_tokenizer(dir)?),
        Some(TokenizerSource::Given(tokenizer)) => copy_tokenizer(Path::new(tokenizer), dir),
        Some(TokenizerSource::Trained(TrainedTokenizer { task, vocab })) => {
            let options = LoadOptions::default();
            let texts = Documents::load(&Task::find(task)?, data, "train", &options)?.documents;
            let texts = texts.into_iter().flat_map(|document| document.candidates);
            Ok(train_tokenizer(dir, texts, *vocab, &[])?)
        }
    }
}

/// The directory of the model that the first stage starts from.
fn base_model(
    experiment: &Experiment,
    data: &Path,
    run: &RunDir,
    device: &Device,
) -> Result<PathBuf, TrainError> {
    let model = &experiment.model;
    if let Some(path) = &model.path {
        return fs::canonicalize(path)
            .ok()
            .filter(|path| path.is_dir())
            .ok_or_else(|| TrainError::NoModel { path: path.clone() });
    }
    run.once("base", |dir| {
        write_tokenizer(experiment, data, dir)?;
        let tokenizer = tokenizer(experiment, dir)?;
        let config = new_config(model.new.clone().unwrap_or_default(), &tokenizer);
        Backbone::init(&config, experiment.seed, device)?.save(dir)?;
        Ok(())
    })
}

/// The `config.json` of a new model, with what its tokenizer decides filled in.
fn new_config(mut config: toml::Table, tokenizer: &ChatTokenizer) -> String {
    let mut fill = |key: &str, value: Option<usize>| {
        if let Some(value) = value {
            config.entry(key).or_insert(toml::Value::Integer(value as i64));
        }
    };
    fill("vocab_size", Some(tokenizer.vocab_size()));
    fill("pad_token_id", tokenizer.pad_id().map(|id| id as usize));
    fill("bos_token_id", tokenizer.bos_id().map(|id| id as usize));
    fill("eos_token_id", tokenizer.eos_id().map(|id| id as usize));
    serde_json::to_string_pretty(&config).unwrap_or_default()
}

fn write_manifest(experiment: &Experiment, run: &RunDir, base: &Path) -> Result<(), TrainError> {
    let revision =
        Command::new("git").args(["rev-parse", "HEAD"]).output().ok().filter(|out| out.status.success());
    let manifest = Manifest {
        version: env!("CARGO_PKG_VERSION").into(),
        git_revision: revision.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_string()),
        seed: experiment.seed,
        device: experiment.device.clone(),
        model: dph_model::content_hash(base)?,
        stages: experiment.stages.iter().map(|stage| stage.name.clone()).collect(),
    };
    let path = run.path().join("manifest.json");
    let json = serde_json::to_vec_pretty(&manifest).map_err(|error| TrainError::io(&path, error.into()))?;
    write_atomically(&path, &json)
}

fn evaluate(
    experiment: &Experiment,
    plan: &BenchPlan,
    model_dir: &Path,
    data: &Path,
    device: &Device,
) -> Result<Bench, TrainError> {
    if plan.tasks.is_empty() {
        return Ok(Bench { results: Results::new(&experiment.name), documents: Vec::new() });
    }
    let mut model = Model::open_with(model_dir, device, experiment.model.chat)?;
    model.name = experiment.name.clone();
    let mut options = BenchOptions::new(data, ScorerChoice::all(model.heads()));
    options.limit = experiment.eval.limit;
    options.seed = experiment.seed;
    let mut progress = StageProgress::new("evaluation", "tokens");
    let bench = dph_eval::bench(&model, plan, &options, &mut |at| {
        if !at.loading {
            progress.of(at.overall.tokens_total as u64);
            progress.advance(at.overall.tokens_done as u64);
        }
    })?;
    progress.finish();
    Ok(bench)
}
