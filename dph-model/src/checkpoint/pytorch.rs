//! [`Pickled`]: a file of `torch.save`.
//!
//! A pickle is a program. The reader, which burn-store uses as well, understands its instructions as far as they describe
//! tensors, dictionaries and plain values, with limits on everything that a file can claim, and calls nothing. What it does
//! not understand it leaves out; here that is an error where it names something that weights have no use for.

use std::path::Path;

use pytorch_reader::{DType, PickleError, PickleValue, PytorchError, PytorchReader};

use super::element::ElementType;
use super::error::CheckpointError;
use super::tensor_info::TensorInfo;

/// Modules whose classes may lie in a checkpoint beside the tensors.
const HARMLESS: [&str; 4] = ["torch.", "collections.", "numpy.", "_codecs."];
/// What the reader calls values that are no Python objects of a module.
const PLAIN: [&str; 5] = ["int", "float", "set", "frozenset", "complex"];

/// An opened file, whose tensors are read when they are asked for.
#[derive(Debug)]
pub(super) struct Pickled(PytorchReader);

impl Pickled {
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
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

/// The first class or call that does not belong into a file of weights.
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
