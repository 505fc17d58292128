//! [`ModelFiles`]: the files of a model from a directory, a GGUF file or the hub.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dph_core::HEAD_CONFIG_FILE;
use dph_core::run_files::{BACKBONE_FILE, MANIFEST_FILE};
use dph_core::terminal::numbers::listed;
use dph_core::text_file::read_text;
use dph_core::tokenizer_files::{TokenizerFilesError, convert_tokenizer};

use super::adapter::classifier::adapted_config;
use super::adapter::config::{AdapterConfig, has_adapter, has_both};
use super::adapter::weights::adapter_weights;
use super::error::CheckpointError;
use super::file_names::{
    ADAPTER_CONFIG_FILE, COMPANION_FILES, CONFIG_FILE, GENERATION_CONFIG_FILE, TOKENIZER_CONFIG_FILE,
    TOKENIZER_FILE,
};
use super::gguf::{Gguf, gguf_models, is_gguf};
use super::hub;
use crate::family::as_json;

/// Most models below a directory that are named.
const SHOWN: usize = 10;

/// The files of a model in the layout of Hugging Face: the files of a directory, or the converted contents of a GGUF
/// file. A tokenizer in other files is converted as well.
///
/// ```no_run
/// use dph_model::checkpoint::ModelFiles;
///
/// let model = ModelFiles::open("hf:HuggingFaceTB/SmolLM2-135M-Instruct")?;
/// let config = model.config_json()?;
/// let tokenizer = model.read("tokenizer.json")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ModelFiles {
    path: PathBuf,
    gguf: Option<Arc<Gguf>>,
    adapter: Option<Box<AdapterFiles>>,
}

/// An adapter of PEFT, with the model that it changes.
#[derive(Debug)]
struct AdapterFiles {
    config: AdapterConfig,
    base: ModelFiles,
}

impl ModelFiles {
    /// The model at a path, which is one of
    ///
    /// - a directory with `config.json` and weights: `model.safetensors`, `pytorch_model.bin`, or the shards of either with
    ///   their index;
    /// - a `.gguf` file, any part of one, or a directory with one such model and no `config.json`;
    /// - a directory with a LoRA adapter of PEFT: `adapter_config.json`, which names the base model, and
    ///   `adapter_model.safetensors`; the weights are those of the base with the adapter added;
    /// - `hf:owner/name` or `hf:owner/name@revision`, a repository of the Hugging Face hub; see
    ///   [`locate`](super::locate).
    ///
    /// Nothing is read except the header of a GGUF file and the configuration of an adapter.
    ///
    /// # Errors
    ///
    /// If the path does not exist, the GGUF file is damaged, the repository is not available, or the base of an adapter is not found.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        Self::open_on(path, None)
    }

    /// As [`open`](Self::open), with another base model for an adapter than the one that it names.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open); also a base for what is not an adapter.
    pub fn open_on(path: impl AsRef<Path>, base: Option<&Path>) -> Result<Self, CheckpointError> {
        let path = hub::locate(path.as_ref())?;
        if has_adapter(&path) {
            return Self::open_adapter(path, base);
        }
        if has_both(&path) {
            let problem = format!(
                "the directory also holds the weights of a whole model, and transformers would use only the adapter; move either \
                 {ADAPTER_CONFIG_FILE} or these weights elsewhere"
            );
            return Err(CheckpointError::Adapter { dir: path, problem });
        }
        if let Some(base) = base {
            return Err(CheckpointError::NoAdapter { path, base: base.into() });
        }
        let gguf = match is_gguf(&path) {
            true => Some(Arc::new(Gguf::open(&path)?)),
            false if path.is_dir() => None,
            false => return Err(CheckpointError::NotADirectory { path }),
        };
        Ok(Self { path, gguf, adapter: None })
    }

    fn open_adapter(path: PathBuf, base: Option<&Path>) -> Result<Self, CheckpointError> {
        let config = AdapterConfig::read(&path)?;
        let base = match base {
            Some(base) => base.to_owned(),
            None => config.base(&path)?,
        };
        let base = hub::locate(&base)?;
        if has_adapter(&base) {
            let problem = format!(
                "its base {} is an adapter as well; merge that one first (`dph-model convert`)",
                base.display()
            );
            return Err(CheckpointError::Adapter { dir: path, problem });
        }
        let base = Self::open(base)?;
        Ok(Self { path, gguf: None, adapter: Some(Box::new(AdapterFiles { config, base })) })
    }

    /// The directory or the GGUF file, on this machine.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file for messages, which [`read`](Self::read) does not name: a GGUF file has no files inside.
    pub fn file_path(&self, name: &str) -> PathBuf {
        match &self.gguf {
            Some(_) => self.path.clone(),
            None => self.path.join(name),
        }
    }

    /// The file that the configuration is read from: that of the base of an adapter, or a GGUF file.
    pub fn config_path(&self) -> PathBuf {
        match (&self.adapter, &self.gguf) {
            (Some(adapter), _) => adapter.base.config_path(),
            (None, Some(_)) => self.path.clone(),
            (None, None) => self.path.join(CONFIG_FILE),
        }
    }

    /// The text of `config.json`. That of an adapter is the one of its base, with the class that the adapter was trained as.
    ///
    /// # Errors
    ///
    /// If there is none, it cannot be read, or the architecture of a GGUF file is not supported.
    pub fn config_json(&self) -> Result<String, CheckpointError> {
        if let Some(adapter) = &self.adapter {
            return adapted_config(&self.path, &adapter.config, adapter.base.config_json()?);
        }
        if let Some(gguf) = &self.gguf {
            return gguf.config_json();
        }
        let path = self.path.join(CONFIG_FILE);
        CheckpointError::check_pointer(&path)?;
        let text = read_text(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                CheckpointError::NoConfig { path: path.clone(), remedy: remedy(&self.path) }
            }
            _ => CheckpointError::Io { path: path.clone(), source },
        })?;
        Ok(as_json(&text).into_owned())
    }

    /// A file by its name, such as `tokenizer.json`. A GGUF file is converted to `config.json`,
    /// `generation_config.json`, `tokenizer.json` and `tokenizer_config.json`. In a directory without `tokenizer.json`, the
    /// latter two are made of the [files of a vocabulary](convert_tokenizer).
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) if there is no such file and none that it can be made of; others if it cannot be
    /// read or converted.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        if let Some(adapter) = &self.adapter {
            // Trainers write the tokenizer beside the adapter, often with more tokens or another template.
            let of_tokenizer = self.path.join(TOKENIZER_FILE).exists() && COMPANION_FILES.contains(&name);
            let is_own = of_tokenizer && name != GENERATION_CONFIG_FILE;
            return if is_own { self.read_from_dir(name) } else { adapter.base.read(name) };
        }
        let Some(gguf) = &self.gguf else { return self.read_from_dir(name) };
        let text = match name {
            CONFIG_FILE => gguf.config_json().map(Some),
            GENERATION_CONFIG_FILE => gguf.generation_config_json().map(Some),
            TOKENIZER_FILE => gguf.tokenizer_json(),
            TOKENIZER_CONFIG_FILE => gguf.tokenizer_config_json(),
            _ => Ok(None),
        };
        let text = text.map_err(|error| match error {
            // Callers name the file.
            CheckpointError::Gguf { problem, .. } => io::Error::other(problem),
            error => io::Error::other(error),
        })?;
        text.map(String::into_bytes).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("there is no {name} in {}", self.path.display()))
        })
    }

    fn read_from_dir(&self, name: &str) -> io::Result<Vec<u8>> {
        let read = |name: &str| {
            let bytes = std::fs::read(self.path.join(name))?;
            match std::str::from_utf8(&bytes) {
                Ok(text) if name == CONFIG_FILE => Ok(as_json(text).into_owned().into_bytes()),
                _ => Ok(bytes),
            }
        };
        let is_tokenizer = matches!(name, TOKENIZER_FILE | TOKENIZER_CONFIG_FILE);
        if !is_tokenizer || self.path.join(TOKENIZER_FILE).exists() {
            return read(name);
        }
        match (convert_tokenizer(&self.path, &read), name) {
            (Ok(tokenizer), TOKENIZER_FILE) => Ok(tokenizer.tokenizer.into_bytes()),
            (Ok(tokenizer), _) => {
                Ok(format!("{:#}\n", serde_json::Value::from(tokenizer.config)).into_bytes())
            }
            (Err(error), TOKENIZER_FILE) => {
                let is_missing = matches!(
                    error,
                    TokenizerFilesError::None { .. } | TokenizerFilesError::Unsupported { .. }
                );
                let kind = if is_missing { io::ErrorKind::NotFound } else { io::ErrorKind::InvalidData };
                Err(io::Error::new(kind, error))
            }
            (Err(_), _) => read(name),
        }
    }

    /// The files of the base model, if the model is an adapter of PEFT.
    pub fn adapter_base(&self) -> Option<&Self> {
        self.adapter().map(|(_, base)| base)
    }

    /// The configuration of the adapter and the files of its base, if the model is an adapter.
    pub(super) fn adapter(&self) -> Option<(&AdapterConfig, &ModelFiles)> {
        self.adapter.as_ref().map(|adapter| (&adapter.config, &adapter.base))
    }

    /// The GGUF file, if the model is one.
    pub(super) fn gguf(&self) -> Option<&Arc<Gguf>> {
        self.gguf.as_ref()
    }
}

/// What to do about a directory without a configuration.
fn remedy(dir: &Path) -> String {
    if dir.join(MANIFEST_FILE).is_file() {
        let mut exports: Vec<_> =
            std::fs::read_dir(dir).into_iter().flatten().flatten().map(|file| file.path()).collect();
        exports.retain(|export| export.join(CONFIG_FILE).is_file());
        exports.sort();
        let exports: Vec<_> = exports.iter().map(|export| export.display().to_string()).collect();
        return match exports.is_empty() {
            true => "this is a run of dph-train without a language model of its own; name the model that it started from".into(),
            false => format!("this is a run of dph-train; name the export of one of its stages: {}", exports.join(", ")),
        };
    }
    if dir.join(HEAD_CONFIG_FILE).is_file() {
        return format!(
            "the directory holds a preference head, but no language model; name the language model ({BACKBONE_FILE} says where it is), or \
             write both as one model with `dph-model convert --sequence-classification`"
        );
    }
    if adapter_weights(dir).is_ok() {
        return format!(
            "the directory holds the weights of an adapter, but no {ADAPTER_CONFIG_FILE}, which says what they are; fetch it as well"
        );
    }
    let models = gguf_models(dir);
    let names: Vec<_> = models.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    if !names.is_empty() {
        return format!("the directory holds several GGUF files, {}; name one of them", names.join(", "));
    }
    let snapshots = hub::snapshots(dir);
    if !snapshots.is_empty() {
        let names: Vec<_> = snapshots.iter().map(|snapshot| snapshot.display().to_string()).collect();
        return format!(
            "this is a folder of the hub's cache with several snapshots of a repository; name one of them: {}",
            names.join(", ")
        );
    }
    let mut below: Vec<_> =
        std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    below.retain(|path| [CONFIG_FILE, ADAPTER_CONFIG_FILE].iter().any(|file| path.join(file).is_file()));
    below.sort();
    match below.is_empty() {
        true => "every model directory has one, or an export preference_head.json and a run manifest.json; is this the right directory?".into(),
        false => {
            let models = listed(below.iter().map(|path| path.display()), SHOWN);
            format!("the directory holds models: name one of {models}")
        }
    }
}
