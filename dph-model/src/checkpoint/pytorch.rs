//! [`Pickled`]: a file of `torch.save`.
//!
//! A pickle is a program. The reader, which burn-store uses as well, interprets only instructions that describe
//! tensors, dictionaries and plain values, with limits on all sizes, and calls nothing. It ignores unknown
//! instructions; here a class or call that weights do not need is an error.

use std::path::Path;

use pytorch_reader::{DType, PickleError, PickleValue, PytorchError, PytorchReader};

use super::element::ElementType;
use super::error::CheckpointError;
use super::tensor_info::TensorInfo;

/// Modules whose classes may be in a checkpoint.
const HARMLESS: [&str; 4] = ["torch.", "collections.", "numpy.", "_codecs."];
/// The reader's names for values that are not Python objects of a module.
const PLAIN: [&str; 5] = ["int", "float", "set", "frozenset", "complex"];

/// An opened file. Its tensors are read on request.
#[derive(Debug)]
pub(super) struct Pickled(PytorchReader);

impl Pickled {
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        CheckpointError::check_pointer(path)?;
        let values = PytorchReader::read_pickle_data(path, None).map_err(|error| wrong(path, error))?;
        if let Some(callable) = stranger(&values) {
            return Err(CheckpointError::Calls { path: path.into(), callable });
        }
        PytorchReader::new(path).map(Self).map_err(|error| wrong(path, error))
    }

    /// All tensors.
    pub fn tensors(&self) -> impl Iterator<Item = (String, TensorInfo)> {
        self.0.tensors().iter().map(|(name, tensor)| {
            let element = match tensor.dtype() {
                DType::F64 => ElementType::F64,
                DType::F32 => ElementType::F32,
                DType::F16 => ElementType::F16,
                DType::BF16 => ElementType::Bf16,
                other => ElementType::Other(format!("{other:?}")),
            };
            (name.clone(), TensorInfo { shape: tensor.shape().to_vec(), element })
        })
    }

    /// The bytes of a tensor, read from the file.
    pub fn bytes(&self, name: &str) -> Option<std::io::Result<Vec<u8>>> {
        self.0.get(name).map(|tensor| tensor.read())
    }
}

/// The first class or call that weights do not need.
fn stranger(value: &PickleValue) -> Option<String> {
    match value {
        PickleValue::Unsupported(name) => {
            let known =
                HARMLESS.iter().any(|module| name.starts_with(module)) || PLAIN.contains(&name.as_str());
            (!known).then(|| name.clone())
        }
        PickleValue::List(items) => items.iter().find_map(stranger),
        PickleValue::Dict(items) => items.values().find_map(stranger),
        _ => None,
    }
}

fn wrong(path: &Path, error: PytorchError) -> CheckpointError {
    match error {
        PytorchError::Io(source) if source.raw_os_error().is_some() => {
            CheckpointError::Io { path: path.into(), source }
        }
        PytorchError::Pickle(PickleError::UnsupportedType(callable)) if !callable.starts_with("torch.") => {
            CheckpointError::Calls { path: path.into(), callable }
        }
        error => {
            let bytes = path.metadata().map_or(0, |metadata| metadata.len());
            let problem = error.to_string();
            CheckpointError::Damaged { path: path.into(), format: "PyTorch", bytes, problem }
        }
    }
}
