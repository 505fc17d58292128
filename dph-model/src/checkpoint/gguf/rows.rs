//! [`GgufTensors`]: the tensors of a GGUF file with the names and the order of Hugging Face.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::names::{Renamed, RowOrder};
use super::{Gguf, RawTensor};
use crate::checkpoint::mapped::Mapped;
use crate::checkpoint::{CheckpointError, ElementType, TensorInfo};
use crate::decoder::transpose;

/// The tensors of a file in the layout of Hugging Face.
#[derive(Debug)]
pub(crate) struct GgufTensors {
    gguf: Arc<Gguf>,
    tensors: BTreeMap<String, Renamed>,
}

impl GgufTensors {
    pub fn new(gguf: Arc<Gguf>) -> Self {
        let tensors = gguf.renamed().into_iter().map(|renamed| (renamed.name.clone(), renamed)).collect();
        Self { gguf, tensors }
    }

    pub fn maps(&self) -> impl Iterator<Item = &Mapped> {
        self.gguf.maps()
    }

    /// All tensors. Names may occur twice.
    pub fn tensors(&self) -> impl Iterator<Item = (String, TensorInfo)> {
        self.gguf.renamed().into_iter().map(|renamed| (renamed.name, renamed.info))
    }

    /// The bytes of a tensor; empty if there is no such tensor.
    pub fn bytes(&self, name: &str) -> Result<Cow<'_, [u8]>, CheckpointError> {
        let Some(Renamed { raw, rows, .. }) = self.tensors.get(name) else { return Ok(Cow::Borrowed(&[])) };
        let (rows, tensor) = (*rows, &self.gguf.tensors[raw]);
        let bytes = self.gguf.bytes(tensor);
        let count = tensor.shape.first().copied().unwrap_or(0);
        if !rows.fits(count) {
            return Err(self
                .gguf
                .unsupported(format!("{raw} has {count} rows, which its heads do not share evenly")));
        }
        Ok(match rows {
            RowOrder::Same => Cow::Borrowed(bytes),
            RowOrder::Transposed => Cow::Owned(transposed(tensor, bytes)),
            RowOrder::Interleaved { .. } | RowOrder::ByKind { .. } => {
                let width = bytes.len() / count;
                let row = |row: usize| &bytes[rows.source(row, count) * width..][..width];
                Cow::Owned((0..count).flat_map(row).copied().collect())
            }
        })
    }
}

/// The transposed matrix. Blocks become f32.
fn transposed(tensor: &RawTensor, bytes: &[u8]) -> Vec<u8> {
    let [rows, columns] = tensor.shape[..] else { return bytes.to_vec() };
    match &tensor.element {
        ElementType::F16 | ElementType::Bf16 => {
            let pairs = bytes.as_chunks::<2>().0;
            (0..columns)
                .flat_map(|column| (0..rows).flat_map(move |row| pairs[row * columns + column]))
                .collect()
        }
        element => {
            let mut values = vec![0.0; rows * columns];
            element.widen(bytes, &mut values);
            transpose(&values, rows, columns).into_iter().flat_map(f32::to_le_bytes).collect()
        }
    }
}
