//! [`ModelSource`]: configuration and tokenizer of the initial model. Weights are not read.

use std::path::Path;

use dph_data::{
    ChatTokenizer, DataError, Documents, Task, TaskLoadOptions, World, add_special_tokens, train_tokenizer,
};
use dph_model::checkpoint::locate_here;
use dph_model::{CheckpointError, DecoderConfig, Family, ModelFiles};

use crate::error::TrainError;
use crate::experiment::{Experiment, TokenizerSource, TrainedTokenizer};
use crate::model::tokenizer::{copy_tokenizer, tokenizer};

/// Configuration and tokenizer of the model from which the first stage starts.
pub(crate) struct ModelSource {
    pub family: Family,
    pub config: DecoderConfig,
    /// The tokenizer with the added tokens of all stages; `None` if its files do not exist.
    pub tokenizer: Option<ChatTokenizer>,
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
    /// without both, this returns `None`. If the tokenizer or its training data does not exist, `tokenizer` is `None`.
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
        Self::parse(experiment, &json, None).map(Some)
    }

    fn from_files(experiment: &Experiment, path: &Path, needs_tokenizer: bool) -> Result<Self, TrainError> {
        let json = given_model(path)?.config_json()?;
        let dir = tempdir()?;
        copy_tokenizer(path, dir.path())?;
        let tokenizer = match dir.path().join("tokenizer.json").is_file() {
            true => Some(final_tokenizer(experiment, dir.path())?),
            // Its error names the model's own directory.
            false if needs_tokenizer => Some(tokenizer(experiment, path)?),
            false => None,
        };
        Self::parse(experiment, &json, tokenizer)
    }

    fn new_model(experiment: &Experiment, data: &Path) -> Result<Self, TrainError> {
        let dir = tempdir()?;
        write_tokenizer(experiment, data, dir.path())?;
        let json = new_config(experiment, &tokenizer(experiment, dir.path())?);
        Self::parse(experiment, &json, Some(final_tokenizer(experiment, dir.path())?))
    }

    fn parse(
        experiment: &Experiment,
        json: &str,
        tokenizer: Option<ChatTokenizer>,
    ) -> Result<Self, TrainError> {
        let parse = || {
            let family = Family::parse(json)?;
            let config = family.causal_decoder()?;
            Ok(Self { family, config, tokenizer })
        };
        parse().map_err(|source| match &experiment.model.path {
            Some(path) => CheckpointError::Config { path: path.join("config.json"), source }.into(),
            None => TrainError::Config(source),
        })
    }
}

/// The files of the model at the experiment's `model.path`.
pub(crate) fn given_model(path: &Path) -> Result<ModelFiles, TrainError> {
    ModelFiles::open(path).map_err(|error| match error {
        CheckpointError::NotADirectory { path } => TrainError::NoModel { path },
        error => error.into(),
    })
}

/// Writes the tokenizer of a new model into a directory.
pub(crate) fn write_tokenizer(experiment: &Experiment, data: &Path, dir: &Path) -> Result<(), TrainError> {
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
pub(crate) fn new_config(experiment: &Experiment, tokenizer: &ChatTokenizer) -> String {
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

/// The tokenizer in a temporary directory with the added tokens of all stages.
fn final_tokenizer(experiment: &Experiment, folder: &Path) -> Result<ChatTokenizer, TrainError> {
    for stage in &experiment.stages {
        add_special_tokens(folder, &stage.add_tokens)?;
    }
    tokenizer(experiment, folder)
}

fn tempdir() -> Result<tempfile::TempDir, TrainError> {
    tempfile::tempdir().map_err(|source| TrainError::io(&std::env::temp_dir(), source))
}
