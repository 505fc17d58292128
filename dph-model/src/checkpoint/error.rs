//! What can be wrong with a model directory.

use std::fmt;
use std::path::PathBuf;

use dph_core::HeadFileError;

use crate::family::ConfigError;

/// Names shown of each kind of misfit.
const SHOWN: usize = 10;

/// Why a model directory cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The path is no model.
    #[error(
        "{} is not a directory; a model is a directory with config.json and model.safetensors, a .gguf file, or hf:owner/name",
        path.display()
    )]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// A file is not there.
    #[error("{} does not exist; {remedy}", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
        /// What to do about it.
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
    /// The configuration is wrong or asks for what is not supported.
    #[error("{}: {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What about it.
        source: ConfigError,
    },
    /// The index of the shards is not one.
    #[error("{}: {problem}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// What about it.
        problem: String,
    },
    /// A weights file is cut short or is not one.
    #[error(
        "{} ({bytes} bytes) is truncated or not a {format} file: {problem}; fetch or copy it again",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it should be.
        format: &'static str,
        /// Its size.
        bytes: u64,
        /// What the reader found.
        problem: String,
    },
    /// A pickle names something to call that is no tensor.
    #[error(
        "{}: this file wants {callable} called when it is loaded, which a file of weights has no use for; nothing of it was run. \
         Do not load it elsewhere unless you know where it is from",
        path.display()
    )]
    Calls {
        /// The file.
        path: PathBuf,
        /// What it names.
        callable: String,
    },
    /// A GGUF file is whole, but holds what is not supported.
    #[error("{}: {problem}", path.display())]
    Gguf {
        /// The file.
        path: PathBuf,
        /// What is not supported, and what is.
        problem: String,
    },
    /// A repository of the Hugging Face hub cannot be had.
    #[error("{name}: {problem}")]
    Hub {
        /// As it was asked for.
        name: String,
        /// Why not, and what to do about it.
        problem: String,
    },
    /// A weight is not a number.
    #[error(
        "{}: the tensor {tensor} holds NaN or infinite values, so nothing that the model computes would be right; \
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
    /// A weight is too large for the type that it was to become.
    #[error("{}: the tensor {tensor} has values beyond what f16 holds (65504); use bf16 or f32", path.display())]
    TooLarge {
        /// The model.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// The tensors in the files are not those that the configuration asks for.
    #[error("the tensors in {} do not fit its config.json:{misfit}", path.display())]
    Misfit {
        /// The model directory.
        path: PathBuf,
        /// All that does not fit.
        misfit: Misfit,
    },
    /// The preference head that lies among the weights cannot be made.
    #[error(transparent)]
    Head(#[from] HeadFileError),
    /// A file could not be written; what was there before is still there.
    #[error("cannot write {}: {problem}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}

/// The difference between the tensors that a model needs and those that its files hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Misfit {
    /// Names of tensors that are not there, each with the nearest name that is there and not needed.
    pub missing: Vec<(String, Option<String>)>,
    /// Names of tensors that are there and not needed.
    pub superfluous: Vec<String>,
    /// Tensors of another shape: name, shape needed, shape found.
    pub misshapen: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Tensors of a type that cannot be read: name, type.
    pub unreadable: Vec<(String, String)>,
}

impl Misfit {
    /// Whether everything fits.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty()
            && self.superfluous.is_empty()
            && self.misshapen.is_empty()
            && self.unreadable.is_empty()
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        section(f, "missing", &self.missing, |(name, near)| match near {
            Some(near) => format!("{name} (did you mean {near}?)"),
            None => name.clone(),
        })?;
        section(f, "superfluous", &self.superfluous, String::clone)?;
        section(f, "of another shape", &self.misshapen, |(name, needed, found)| {
            format!("{name} has shape {found:?}, the configuration asks for {needed:?}")
        })?;
        section(f, "of a type that cannot be read", &self.unreadable, |(name, dtype)| {
            format!("{name} ({dtype})")
        })
    }
}

fn section<T>(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    items: &[T],
    text: impl Fn(&T) -> String,
) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    write!(f, "\n  {} {title}:", items.len())?;
    for item in items.iter().take(SHOWN) {
        write!(f, "\n    {}", text(item))?;
    }
    match items.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => write!(f, "\n    and {more} more"),
        _ => Ok(()),
    }
}
