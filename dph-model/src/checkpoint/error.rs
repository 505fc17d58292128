//! [`CheckpointError`]: why a model cannot be read or written.

use std::path::{Path, PathBuf};

use dph_core::path_kind::PathKind;
use dph_core::terminal::numbers::counted;
use dph_core::{HeadFileError, git_lfs};

use super::file_names::{ADAPTER_CONFIG_FILE, CONFIG_FILE};
use super::gguf::is_gguf;
use super::misfit::Misfit;
use crate::family::ConfigError;

/// Why a model cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The path is not a model.
    #[error(
        "{}: {}; {}",
        path.display(),
        PathKind::of(path),
        remedy(path)
    )]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// The directory has no `config.json`.
    #[error("{} does not exist; {remedy}", path.display())]
    NoConfig {
        /// The file.
        path: PathBuf,
        /// The remedy.
        remedy: String,
    },
    /// A file does not exist.
    #[error("{} does not exist; {remedy}", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
        /// The remedy.
        remedy: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The configuration is invalid or not supported.
    #[error("{}: {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The error.
        source: ConfigError,
    },
    /// The index of the shards is invalid.
    #[error("{}: {problem}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// The error.
        problem: String,
    },
    /// A weights file is truncated or has another format.
    #[error(
        "{} ({bytes} bytes) is truncated or not a {format} file: {problem}; fetch or copy it again",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The expected format.
        format: &'static str,
        /// Its size.
        bytes: u64,
        /// The error of the reader.
        problem: String,
    },
    /// A file is a pointer of Git LFS.
    #[error("{}: {}", path.display(), git_lfs::POINTER)]
    Pointer {
        /// The file.
        path: PathBuf,
    },
    /// A pickle contains a call that is not needed for weights.
    #[error(
        "{}: this file calls {callable} when it is loaded, which is not needed for weights. It was not executed. \
         Do not load it elsewhere unless you know where it is from",
        path.display()
    )]
    Calls {
        /// The file.
        path: PathBuf,
        /// The called object.
        callable: String,
    },
    /// The contents of a GGUF file are not supported.
    #[error("{}: {problem}", path.display())]
    Gguf {
        /// The file.
        path: PathBuf,
        /// The unsupported feature, and what is supported.
        problem: String,
    },
    /// A repository of the Hugging Face hub is not available.
    #[error("{name}: {problem}")]
    Hub {
        /// The name of the repository.
        name: String,
        /// The cause and a remedy.
        problem: String,
    },
    /// A weight is not a number.
    #[error(
        "{}: the tensor {tensor} holds NaN or infinite values, so the output of the model would be wrong; \
         fetch it again, or use an earlier checkpoint",
        path.display()
    )]
    NotFinite {
        /// The model.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// The device cannot compute in this precision.
    #[error("this device cannot compute in {precision}; load the model in another precision, such as f32")]
    Precision {
        /// The precision.
        precision: &'static str,
    },
    /// A weight is too large for its new type.
    #[error("{}: the tensor {tensor} has values beyond the range of f16 (65504); use bf16 or f32", path.display())]
    TooLarge {
        /// The model.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// The tensors in the files do not match the configuration.
    #[error("the tensors in {} do not match its {}:{misfit}", path.display(), configuration(path))]
    Misfit {
        /// The model directory.
        path: PathBuf,
        /// All differences.
        misfit: Box<Misfit>,
    },
    /// transformers has no class for the model with a reward layer.
    #[error(
        "transformers has no class for a model of the type `{model_type}` with a reward layer; use it with this program"
    )]
    NoClass {
        /// The type.
        model_type: &'static str,
    },
    /// A base model is given for what is not an adapter.
    #[error(
        "{} is not an adapter of PEFT, so it has no base model; leave out --base, or `base` in `[model]` (it names {})",
        path.display(),
        base.display()
    )]
    NoAdapter {
        /// The model.
        path: PathBuf,
        /// The base.
        base: PathBuf,
    },
    /// An adapter cannot be used.
    #[error("the adapter {}: {problem}", dir.display())]
    Adapter {
        /// Its directory.
        dir: PathBuf,
        /// The problem and a remedy.
        problem: String,
    },
    /// The reward head of a model is not one linear layer.
    #[error(
        "{}: the tensors {tensors} are a reward head, but not one linear layer (`score.weight`, `v_head.summary.weight`), \
         and no other kind is read; use such a model with the program that trained it",
        path.display()
    )]
    RewardHead {
        /// The model or file.
        path: PathBuf,
        /// Its tensors.
        tensors: String,
    },
    /// The model has labels for each token.
    #[error(
        "{}: config.json names the class {class}, whose layer has labels for each token and no reward for a whole answer; reward models are \
         of a class *ForSequenceClassification, or language models with a value head",
        path.display()
    )]
    TokenClassifier {
        /// The model.
        path: PathBuf,
        /// Its class.
        class: String,
    },
    /// There are several reward layers.
    #[error("{}: there are several reward layers, {places}; leave the one that was trained, and remove the others", path.display())]
    RewardLayers {
        /// The model.
        path: PathBuf,
        /// The tensors and files.
        places: String,
    },
    /// The reward layer has another number of rows than the configuration has labels.
    #[error(
        "{}: {tensor} has {}, but config.json says that there {} (`num_labels`, `id2label`); correct config.json, or take the weights that \
         belong to it",
        path.display(),
        counted(*rows, "row"),
        if *labels == 1 { "is 1 label".to_owned() } else { format!("are {labels} labels") }
    )]
    RewardRows {
        /// The model.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its rows.
        rows: usize,
        /// The labels.
        labels: usize,
    },
    /// The preference head among the weights is invalid.
    #[error(transparent)]
    Head(#[from] HeadFileError),
    /// A file could not be written. The old file is unchanged.
    #[error("cannot write {}: {problem}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}

/// What to do about a path that is no directory: a file of a model may be meant as the model.
fn remedy(path: &Path) -> String {
    let dir = path.parent().map(|dir| if dir.as_os_str().is_empty() { Path::new(".") } else { dir });
    let is_model =
        |dir: &&Path| [CONFIG_FILE, ADAPTER_CONFIG_FILE].iter().any(|file| dir.join(file).is_file());
    match dir.filter(|dir| path.is_file() && is_model(dir)) {
        Some(dir) => format!("name the directory of the model, {}", dir.display()),
        None => {
            "a model is a directory with config.json and model.safetensors, a .gguf file, or hf:owner/name"
                .into()
        }
    }
}

/// What says which tensors a model needs, in words.
fn configuration(path: &Path) -> &'static str {
    match is_gguf(path) {
        true => "keys (they have their names in the layout of Hugging Face here)",
        false => "config.json",
    }
}

impl CheckpointError {
    /// Fails if a file is a pointer of Git LFS.
    pub(super) fn check_pointer(path: &Path) -> Result<(), Self> {
        match git_lfs::is_pointer_file(path) {
            true => Err(Self::Pointer { path: path.into() }),
            false => Ok(()),
        }
    }
}
