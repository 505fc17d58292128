//! [`ModelSource`]: configuration and tokenizer of the initial model. Weights are not read.

use std::path::Path;
use std::sync::Arc;

use dph_data::{
    ChatTokenizer, DataError, Documents, Task, TaskLoadOptions, TextLayout, World, add_special_tokens,
    train_tokenizer,
};
use dph_model::checkpoint::{CONFIG_FILE, CausalOutline, TOKENIZER_FILE, locate_here};
use dph_model::family::has_output;
use dph_model::{CheckpointError, ConfigError, DecoderConfig, Family, ModelFiles, stored_labels};
use tempfile::TempDir;

use crate::data::task_cache::DataSource;
use crate::error::TrainError;
use crate::experiment::{Experiment, Stage, TokenizerSource, TrainedTokenizer};
use crate::model::tokenizer::{copy_files, copy_tokenizer, tokenizer};

/// Configuration and tokenizers of the model from which the first stage starts.
pub(crate) struct ModelSource {
    pub family: Family,
    pub config: DecoderConfig,
    /// Whether it has an output matrix.
    pub has_output: bool,
    /// The classes of the model, if it is a classifier.
    pub labels: Option<Vec<String>>,
    /// The tokenizer of each stage, with the tokens that the stage and earlier stages add; without stages the model's own
    /// tokenizer. Empty if the files of the tokenizer do not exist.
    tokenizers: Vec<Arc<ChatTokenizer>>,
    /// The files of a new model; `None` for a model at a path.
    pub new: Option<NewModel>,
}

/// The files of a new model, without its weights.
pub(crate) struct NewModel {
    tokenizer: TempDir,
    /// The text of its `config.json`.
    pub config: String,
}

impl NewModel {
    /// The directory with the files of the tokenizer.
    pub fn tokenizer(&self) -> &Path {
        self.tokenizer.path()
    }
}

impl ModelSource {
    /// Reads the configuration and the tokenizer of the model. A repository of the Hugging Face Hub is downloaded.
    pub fn read(experiment: &Experiment, data: &Path) -> Result<Self, TrainError> {
        match &experiment.model.path {
            Some(path) => Self::from_files(experiment, path, true),
            None => Self::new_model(experiment, data),
        }
    }

    /// Like [`read`](Self::read), but without requests to the Hugging Face Hub. If there is no model at `path`, `new` is used;
    /// without both, this returns `None`. If the tokenizer or its training data does not exist, there is no tokenizer.
    pub fn read_local(experiment: &Experiment, data: &Path) -> Result<Option<Self>, TrainError> {
        let model = &experiment.model;
        if let Some(path) = model.path.as_deref().and_then(locate_here) {
            return Self::from_files(experiment, &path, false).map(Some);
        }
        let Some(mut config) = model.new.clone() else { return Ok(None) };
        let is_there = match &model.tokenizer {
            Some(TokenizerSource::Given(name)) => name == "world" || Path::new(name).is_dir(),
            Some(TokenizerSource::Trained(_)) => true,
            None => model.path.is_none(),
        };
        if is_there {
            match Self::new_model(experiment, data) {
                Err(TrainError::Data(DataError::NotFound(_))) => {}
                source => return source.map(Some),
            }
        }
        if let Some(TokenizerSource::Trained(TrainedTokenizer { vocab, .. })) = &model.tokenizer {
            config.entry("vocab_size").or_insert(toml::Value::Integer(*vocab as i64));
        }
        if !config.contains_key("vocab_size") {
            return Ok(None);
        }
        let json = serde_json::to_string(&config).unwrap_or_default();
        Self::parse(experiment, &json, Vec::new(), None).map(Some)
    }

    /// The tokenizer of the final model; `None` if its files do not exist.
    pub fn tokenizer(&self) -> Option<&Arc<ChatTokenizer>> {
        self.tokenizers.last()
    }

    /// The tokenizer of the stage with this index.
    pub fn stage_tokenizer(&self, stage: usize) -> Option<&Arc<ChatTokenizer>> {
        self.tokenizers.get(stage)
    }

    /// The data sets below a root for this model, with one of its tokenizers.
    pub fn data<'a>(&self, root: &'a Path, tokenizer: &'a Arc<ChatTokenizer>) -> DataSource<'a> {
        let layout = TextLayout::of_model(self.config.causal);
        DataSource { root, tokenizer, context: self.config.context, layout }
    }

    fn from_files(experiment: &Experiment, path: &Path, needs_tokenizer: bool) -> Result<Self, TrainError> {
        let files = given_model(path, experiment.model.base.as_deref())?;
        let json = files.config_json()?;
        let outline = match trains_classifier(experiment) {
            true => files.outline()?,
            false => files.causal_outline()?,
        };
        let CausalOutline { family, config, has_output } = outline;
        let labels = stored_labels(&json);
        let is_missing =
            || files.read(TOKENIZER_FILE).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        let tokenizers = match is_missing() {
            false => stage_tokenizers(experiment, &files, &json)?,
            // This fails, with an error that names the directory of the model.
            true if needs_tokenizer => vec![Arc::new(tokenizer(experiment, &files)?)],
            true => Vec::new(),
        };
        Ok(Self { family, config, has_output, labels, tokenizers, new: None })
    }

    fn new_model(experiment: &Experiment, data: &Path) -> Result<Self, TrainError> {
        let dir = tempdir()?;
        write_tokenizer(experiment, data, dir.path())?;
        let files = ModelFiles::open(dir.path())?;
        let config = new_config(experiment, &tokenizer(experiment, &files)?);
        write(&dir.path().join(CONFIG_FILE), config.as_bytes())?;
        let tokenizers = stage_tokenizers(experiment, &files, &config)?;
        let new = NewModel { tokenizer: dir, config: config.clone() };
        Self::parse(experiment, &config, tokenizers, Some(new))
    }

    fn parse(
        experiment: &Experiment,
        json: &str,
        tokenizers: Vec<Arc<ChatTokenizer>>,
        new: Option<NewModel>,
    ) -> Result<Self, TrainError> {
        let parse = || {
            let family = Family::parse(json)?;
            let config = match trains_classifier(experiment) {
                true => family.decoder()?,
                false => family.causal_decoder()?,
            };
            // A model file may have no blocks, but a new model without them is a mistake.
            if experiment.model.path.is_none() && config.n_layers == 0 {
                let problem = "the number of layers is 0; it must be at least 1".into();
                return Err(ConfigError::Sizes { problem });
            }
            let has_output = has_output(json, &config);
            let labels = stored_labels(json);
            Ok(Self { family, config, has_output, labels, tokenizers, new })
        };
        parse().map_err(|source| match &experiment.model.path {
            Some(path) => CheckpointError::Config { path: path.join(CONFIG_FILE), source }.into(),
            None => TrainError::Config(source),
        })
    }
}

/// Whether a stage trains a classifier, which may be an encoder.
fn trains_classifier(experiment: &Experiment) -> bool {
    experiment.stages.iter().any(|stage| stage.objective.classify.is_some())
}

/// The files of the model at the experiment's `model.path`; `base` is the base model of an adapter.
pub(crate) fn given_model(path: &Path, base: Option<&Path>) -> Result<ModelFiles, TrainError> {
    ModelFiles::open_on(path, base).map_err(|error| match error {
        CheckpointError::NotADirectory { path } => TrainError::NoModel { path },
        error => error.into(),
    })
}

/// Writes the tokenizer of a new model into a directory.
fn write_tokenizer(experiment: &Experiment, data: &Path, dir: &Path) -> Result<(), TrainError> {
    match &experiment.model.tokenizer {
        None => Ok(World::default().write_tokenizer(dir)?),
        Some(TokenizerSource::Given(name)) if name == "world" => Ok(World::default().write_tokenizer(dir)?),
        Some(TokenizerSource::Given(tokenizer)) => copy_tokenizer(Path::new(tokenizer), dir),
        Some(TokenizerSource::Trained(TrainedTokenizer { task, vocab })) => {
            let options = TaskLoadOptions::default();
            let texts = Documents::load(&Task::find(task)?, data, "train", &options)?.documents;
            let texts = texts.into_iter().flat_map(|document| document.candidates);
            Ok(train_tokenizer(dir, texts, *vocab, &[])?)
        }
    }
}

/// The `config.json` of a new model: `[model.new]`, with missing keys filled in from the tokenizer.
fn new_config(experiment: &Experiment, tokenizer: &ChatTokenizer) -> String {
    let mut config = experiment.model.new.clone().unwrap_or_default();
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

/// The tokenizers of the stages, given the files of the model and its configuration. Stages that add no tokens share the
/// tokenizer of the stage before.
fn stage_tokenizers(
    experiment: &Experiment,
    model: &ModelFiles,
    config: &str,
) -> Result<Vec<Arc<ChatTokenizer>>, TrainError> {
    let added = |stage: &Stage| !stage.add_tokens.is_empty();
    let dir = tempdir()?;
    if experiment.stages.iter().any(added) {
        copy_files(model, dir.path())?;
        write(&dir.path().join(CONFIG_FILE), config.as_bytes())?;
    }
    let mut tokenizers: Vec<Arc<ChatTokenizer>> = Vec::new();
    for stage in &experiment.stages {
        let next = match tokenizers.last() {
            _ if added(stage) => {
                add_special_tokens(dir.path(), &stage.add_tokens)?;
                Arc::new(tokenizer(experiment, &ModelFiles::open(dir.path())?)?)
            }
            Some(last) => Arc::clone(last),
            None => Arc::new(tokenizer(experiment, model)?),
        };
        tokenizers.push(next);
    }
    if tokenizers.is_empty() {
        tokenizers.push(Arc::new(tokenizer(experiment, model)?));
    }
    Ok(tokenizers)
}

fn tempdir() -> Result<TempDir, TrainError> {
    tempfile::tempdir().map_err(|source| TrainError::io(&std::env::temp_dir(), source))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    std::fs::write(path, bytes).map_err(|source| TrainError::io(path, source))
}
