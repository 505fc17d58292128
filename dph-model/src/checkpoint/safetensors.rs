//! [`Shard`]: a safetensors file.

use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, SafeTensors};

use super::element::ElementType;
use super::error::CheckpointError;
use super::mapped::Mapped;
use super::tensor_info::TensorInfo;

/// One mapped file with its parsed header.
#[derive(Debug)]
pub(super) struct Shard {
    map: Mapped,
    /// First byte of the data.
    data: usize,
    metadata: Metadata,
}

impl Shard {
    /// Opens a file and checks its header: all tensors are within the file and do not overlap.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let map = Mapped::open(path, "safetensors")?;
        let (header, metadata) = SafeTensors::read_metadata(map.bytes()).map_err(|error| {
            let (bytes, problem) = (map.bytes().len() as u64, error.to_string());
            CheckpointError::Damaged { path: path.into(), format: "safetensors", bytes, problem }
        })?;
        Ok(Self { map, data: header + size_of::<u64>(), metadata })
    }

    pub fn map(&self) -> &Mapped {
        &self.map
    }

    /// All tensors.
    pub fn tensors(&self) -> impl Iterator<Item = (String, TensorInfo)> {
        self.metadata.tensors().into_iter().map(|(name, info)| {
            let element = match info.dtype {
                Dtype::F64 => ElementType::F64,
                Dtype::F32 => ElementType::F32,
                Dtype::F16 => ElementType::F16,
                Dtype::BF16 => ElementType::Bf16,
                other => ElementType::Other(format!("{other:?}")),
            };
            (name, TensorInfo { shape: info.shape.clone(), element })
        })
    }

    /// The bytes of a tensor.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        let (start, end) = self.metadata.info(name)?.data_offsets;
        self.map.bytes().get(self.data + start..self.data + end)
    }
}
