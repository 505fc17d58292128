//! From an experiment to a run: the model, the stages, the evaluation, the report.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use burn::tensor::Device;
use dph_data::{ChatTokenizer, Documents, LoadOptions, Task, World, add_special_tokens, train_tokenizer};
use dph_eval::{Bench, BenchPlan};
use dph_model::checkpoint::locate_here;
use dph_model::{Backbone, CheckpointError, DecoderConfig, Family, ModelFiles};

use crate::TrainError;
use crate::evaluation::evaluate;
use crate::experiment::{Experiment, TokenizerSource, TrainedTokenizer};
use crate::experiment_file::ExperimentFile;
use crate::features::FeatureCache;
use crate::forecast::check_memory;
use crate::homes::Homes;
use crate::report;
use crate::run_dir::{MANIFEST, METRICS, Manifest, RunDir, write_atomically};
use crate::stages::{StageContext, copy_tokenizer, tokenizer};

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
///
/// # Errors
/// What stopped it. An experiment with a `[sweep]` is many runs, for [`run_sweep`](crate::run_sweep).
pub fn run(file: &ExperimentFile, options: &RunOptions) -> Result<Vec<Bench>, TrainError> {
    if file.sweep.is_some() {
        return Err(TrainError::Sweep("this experiment has a [sweep], which `run_sweep` runs"));
    }
    let experiment = &file.experiment;
    let setting = Setting::new(experiment, &options.data)?;
    // What can be seen to be wrong at once must not move an earlier run aside.
    setting.check()?;
    let run = RunDir::open(&options.out, experiment, &file.source, options.resume)?;
    let homes = Homes::alone(&run);
    let (model_dir, mut benches) = setting.train(&homes, &FeatureCache::new(features_dir(&options.out)))?;
    let mut bench = evaluate(&setting, &[&model_dir])?.remove(0);
    if let (false, Some(last)) = (benches.is_empty(), experiment.stages.last()) {
        bench.results.name = last.name.clone();
    }
    benches.push(bench);
    setting.finish(&homes, &benches)?;
    Ok(benches)
}

/// Where the features of the runs in a folder are kept: beside them.
pub(crate) fn features_dir(run: &Path) -> PathBuf {
    run.parent().unwrap_or(Path::new(".")).join("features")
}

/// An experiment, and what it needs to run.
pub(crate) struct Setting<'a> {
    pub experiment: &'a Experiment,
    /// Root of the data sets.
    pub data: &'a Path,
    pub device: Device,
    pub plan: BenchPlan,
}

impl<'a> Setting<'a> {
    /// Fails where the device or something to be evaluated does not exist.
    pub fn new(experiment: &'a Experiment, data: &'a Path) -> Result<Self, TrainError> {
        let eval = &experiment.eval;
        Ok(Self {
            experiment,
            data: experiment.data.as_deref().unwrap_or(data),
            device: dph_core::device(&experiment.device)?,
            plan: BenchPlan::new(&eval.suites, &eval.tasks, eval.split.as_deref())?,
        })
    }

    /// Fails where the model cannot be had, or a stage cannot fit into memory.
    pub fn check(&self) -> Result<(), TrainError> {
        let json = base_config(self.experiment, self.data)?;
        let (family, config) = causal(self.experiment, &json)?;
        check_memory(self.experiment, &family, &config)
    }

    /// Makes the model and runs the stages, as far as they are not done already. Gives the directory of the result, and
    /// the evaluations after single stages.
    pub fn train(
        &self,
        homes: &Homes<'_>,
        features: &FeatureCache,
    ) -> Result<(PathBuf, Vec<Bench>), TrainError> {
        let mut benches = Vec::new();
        let mut model_dir = self.base_model(homes)?;
        self.write_manifest(homes, &model_dir)?;
        for stage in &self.experiment.stages {
            let home = homes.of(&stage.name);
            let (journal, checkpoints) = (home.path().join(METRICS), home.checkpoints(&stage.name));
            let context = StageContext {
                experiment: self.experiment,
                data: self.data,
                device: &self.device,
                journal: &journal,
                features,
            };
            model_dir =
                home.once(&stage.name, |export| context.run(stage, &model_dir, &checkpoints, export))?;
            let is_last = self.experiment.stages.last().is_some_and(|last| last.name == stage.name);
            if self.experiment.eval.after.contains(&stage.name) && !is_last {
                let evaluation = homes.run().once(&format!("{EVALUATIONS}/{}", stage.name), |dir| {
                    let mut bench = evaluate(self, &[&model_dir])?.remove(0);
                    bench.results.name = stage.name.clone();
                    Ok(bench.save(dir)?)
                })?;
                benches.push(Bench::load(&evaluation)?);
            }
        }
        Ok((model_dir, benches))
    }

    /// Writes the results and the reports of a run, the results last.
    pub fn finish(&self, homes: &Homes<'_>, benches: &[Bench]) -> Result<(), TrainError> {
        let (run, name) = (homes.run(), &self.experiment.name);
        report::write(run.path(), &homes.metrics(self.experiment), &run.resolved()?, name, benches)?;
        let [.., last] = benches else { return Ok(()) };
        let mut last = last.clone();
        last.results.name = name.clone();
        Ok(last.save(run.path())?)
    }

    /// The directory of the model that the first stage starts from.
    fn base_model(&self, homes: &Homes<'_>) -> Result<PathBuf, TrainError> {
        let (experiment, model) = (self.experiment, &self.experiment.model);
        if let Some(path) = &model.path {
            let files = given_model(path)?;
            return fs::canonicalize(files.path()).map_err(|source| TrainError::io(files.path(), source));
        }
        homes.of(BASE).once(BASE, |dir| {
            write_tokenizer(experiment, self.data, dir)?;
            let tokenizer = tokenizer(experiment, dir)?;
            let config = new_config(model.new.clone().unwrap_or_default(), &tokenizer);
            Backbone::init(&config, experiment.seed, &self.device)?.save(dir)?;
            Ok(())
        })
    }

    fn write_manifest(&self, homes: &Homes<'_>, base: &Path) -> Result<(), TrainError> {
        let experiment = self.experiment;
        let manifest = Manifest {
            version: env!("CARGO_PKG_VERSION").into(),
            git_revision: git_revision(),
            seed: experiment.seed,
            device: experiment.device.clone(),
            model: dph_model::content_hash(base)?,
            stages: experiment.stages.iter().map(|stage| homes.export(&stage.name)).collect(),
        };
        let path = homes.run().path().join(MANIFEST);
        let json =
            serde_json::to_vec_pretty(&manifest).map_err(|error| TrainError::io(&path, error.into()))?;
        write_atomically(&path, &json)
    }
}

/// Name of a new model in a run.
pub(crate) const BASE: &str = "base";
/// Folder of the evaluations after single stages in a run.
const EVALUATIONS: &str = "evaluations";

/// The revision of the git repository that the program was started in.
pub(crate) fn git_revision() -> Option<String> {
    let revision =
        Command::new("git").args(["rev-parse", "HEAD"]).output().ok().filter(|out| out.status.success());
    revision.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_string())
}

/// The files of the model that an experiment names.
fn given_model(path: &Path) -> Result<ModelFiles, TrainError> {
    ModelFiles::open(path).map_err(|error| match error {
        CheckpointError::NotADirectory { path } => TrainError::NoModel { path },
        error => error.into(),
    })
}

/// The `config.json` of the model that the first stage starts from; nothing is loaded or kept.
fn base_config(experiment: &Experiment, data: &Path) -> Result<String, TrainError> {
    let model = &experiment.model;
    if let Some(path) = &model.path {
        return Ok(given_model(path)?.config_json()?);
    }
    Ok(new_config(model.new.clone().unwrap_or_default(), &new_tokenizer(experiment, data)?))
}

/// What the `config.json` of the model that the first stage starts from describes.
pub(crate) fn causal(experiment: &Experiment, json: &str) -> Result<(Family, DecoderConfig), TrainError> {
    let described = || {
        let family = Family::parse(json)?;
        let config = family.causal_decoder()?;
        Ok((family, config))
    };
    described().map_err(|source| match &experiment.model.path {
        Some(path) => CheckpointError::Config { path: path.join("config.json"), source }.into(),
        None => TrainError::Config(source),
    })
}

/// The `config.json` of the model that the first stage starts from and its tokenizer, as far as they are there: without
/// the model at `path`, `new` describes it, and without its tokenizer there is none.
pub(crate) fn described_model(
    experiment: &Experiment,
    data: &Path,
) -> Result<(String, Option<ChatTokenizer>), TrainError> {
    let model = &experiment.model;
    match &model.path {
        Some(path) if model.new.is_none() || locate_here(path).is_some() => {
            let config = base_config(experiment, data)?;
            let dir = tempdir()?;
            copy_tokenizer(path, dir.path())?;
            let is_there = dir.path().join("tokenizer.json").is_file();
            return Ok((config, is_there.then(|| final_tokenizer(experiment, dir.path())).transpose()?));
        }
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
