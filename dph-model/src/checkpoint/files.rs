//! [`ModelFiles`]: the files of a model from a directory, a GGUF file or the hub.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dph_core::tokenizer_files::{TokenizerFilesError, convert_tokenizer};

use super::error::CheckpointError;
use super::file_names::{CONFIG_FILE, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE};
use super::gguf::{Gguf, gguf_models, is_gguf};
use super::hub;
use crate::family::as_json;

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
}

impl ModelFiles {
    /// The model at a path, which is one of
    ///
    /// - a directory with `config.json` and weights: `model.safetensors`, `pytorch_model.bin`, or the shards of either with
    ///   their index;
    /// - a `.gguf` file, any part of one, or a directory with one such model and no `config.json`;
    /// - `hf:owner/name` or `hf:owner/name@revision`, a repository of the Hugging Face hub; see
    ///   [`locate`](super::locate).
    ///
    /// Nothing is read except the header of a GGUF file.
    ///
    /// # Errors
    ///
    /// If the path does not exist, the GGUF file is damaged, or the repository is not available.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        let path = hub::locate(path.as_ref())?;
        if is_gguf(&path) {
            let gguf = Arc::new(Gguf::open(&path)?);
            return Ok(Self { path, gguf: Some(gguf) });
        }
        match path.is_dir() {
            true => Ok(Self { path, gguf: None }),
            false => Err(CheckpointError::NotADirectory { path }),
        }
    }

    /// The directory or the GGUF file, on this machine.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text of `config.json`.
    ///
    /// # Errors
    ///
    /// If there is none, it cannot be read, or the architecture of a GGUF file is not supported.
    pub fn config_json(&self) -> Result<String, CheckpointError> {
        if let Some(gguf) = &self.gguf {
            return gguf.config_json();
        }
        let path = self.path.join(CONFIG_FILE);
        let text = std::fs::read_to_string(&path).map_err(|source| match source.kind() {
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
        let Some(gguf) = &self.gguf else { return self.read_from_dir(name) };
        let text = match name {
            CONFIG_FILE => gguf.config_json().map(Some),
            "generation_config.json" => Ok(Some(gguf.generation_config_json())),
            TOKENIZER_FILE => gguf.tokenizer_json(),
            TOKENIZER_CONFIG_FILE => gguf.tokenizer_config_json(),
            _ => Ok(None),
        };
        let text = text.map_err(io::Error::other)?;
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

    /// The GGUF file, if the model is one.
    pub(super) fn gguf(&self) -> Option<&Arc<Gguf>> {
        self.gguf.as_ref()
    }
}

/// What to do about a directory without a configuration.
fn remedy(dir: &Path) -> String {
    let models = gguf_models(dir);
    let names: Vec<_> = models.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    match names.is_empty() {
        true => "every model directory has one; is this the right directory?".into(),
        false => format!("the directory holds several GGUF files, {}; name one of them", names.join(", ")),
    }
}
