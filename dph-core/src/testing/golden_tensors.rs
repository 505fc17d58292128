//! The tensors and numbers of golden files.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde_json::Value;

use super::golden::Golden;

/// A tensor of a golden file: its shape and values, widened to f64.
#[derive(Debug, Clone, PartialEq)]
pub struct GoldenTensor {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, row by row.
    pub values: Vec<f64>,
}

impl Golden {
    /// The tensors of a safetensors file, under the same conditions as [`json`](Self::json).
    pub fn tensors(&self, file: &str) -> Option<BTreeMap<String, GoldenTensor>> {
        self.path(file).map(|path| read_tensors(&path))
    }
}

/// All tensors of a safetensors file.
pub fn read_tensors(path: &Path) -> BTreeMap<String, GoldenTensor> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter()
        .map(|(name, view)| {
            let data = view.data();
            let values = match view.dtype() {
                Dtype::F32 => {
                    data.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()) as f64).collect()
                }
                Dtype::F64 => data.chunks(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect(),
                Dtype::I64 => {
                    data.chunks(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64).collect()
                }
                Dtype::I32 => {
                    data.chunks(4).map(|b| i32::from_le_bytes(b.try_into().unwrap()) as f64).collect()
                }
                Dtype::U8 | Dtype::BOOL => data.iter().map(|&b| b as f64).collect(),
                other => panic!("{}: {name} is {other:?}", path.display()),
            };
            (name.to_string(), GoldenTensor { shape: view.shape().to_vec(), values })
        })
        .collect()
}

/// A number of a golden json file, where non-finite ones are strings.
pub fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        value => value.as_f64().unwrap_or_else(|| panic!("{value} is not a number")),
    }
}
