//! The bytes of a tensor in the order that Hugging Face has.

use std::borrow::Cow;

use super::names::RowOrder;
use super::{Gguf, RawTensor};
use crate::checkpoint::{CheckpointError, ElementType};
use crate::decoder::transpose;

impl Gguf {
    /// The bytes of the tensor that is called `raw` in the file.
    pub fn bytes(&self, raw: &str, rows: RowOrder) -> Result<Cow<'_, [u8]>, CheckpointError> {
        let Some(tensor) = self.tensors.get(raw) else { return Ok(Cow::Borrowed(&[])) };
        let bytes = &self.map.bytes()[tensor.bytes.clone()];
        let count = tensor.shape.first().copied().unwrap_or(0);
        if !rows.fits(count) {
            return Err(
                self.unsupported(format!("{raw} has {count} rows, which its heads do not share evenly"))
            );
        }
        Ok(match rows {
            RowOrder::Same => Cow::Borrowed(bytes),
            RowOrder::Transposed => Cow::Owned(turned(tensor, bytes)),
            RowOrder::Interleaved { .. } | RowOrder::ByKind { .. } => {
                let width = bytes.len() / count;
                let row = |row: usize| &bytes[rows.source(row, count) * width..][..width];
                Cow::Owned((0..count).flat_map(row).copied().collect())
            }
        })
    }
}

/// A matrix with rows for columns; blocks become f32.
fn turned(tensor: &RawTensor, bytes: &[u8]) -> Vec<u8> {
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
