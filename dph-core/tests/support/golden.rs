//! The golden vectors, for the golden tests of every crate: the [directory](Golden), its tensors, and comparisons.
#![allow(dead_code, unused_imports, clippy::unwrap_used)]

#[path = "golden_dir.rs"]
mod golden_dir;

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
pub use golden_dir::{Golden, say};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde_json::Value;

/// The device that golden vectors are tried on: the one named by `DPH_TEST_DEVICE`, without it `flex`.
pub fn device() -> Device {
    let name = std::env::var("DPH_TEST_DEVICE").unwrap_or_else(|_| "flex".into());
    dph_core::device(&name).unwrap_or_else(|error| panic!("DPH_TEST_DEVICE: {error}"))
}

/// A tensor of a golden file: its shape and values, widened to f64.
#[derive(Debug, Clone, PartialEq)]
pub struct GoldenTensor {
    pub shape: Vec<usize>,
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

/// Asserts that two lists agree to an absolute or a relative tolerance, whichever is wider, and names the worst place.
#[track_caller]
pub fn assert_close(what: &str, actual: &[f64], expected: &[f64], absolute: f64, relative: f64) {
    assert_eq!(actual.len(), expected.len(), "{what}: number of values");
    let excess = |i: usize| (actual[i] - expected[i]).abs() - absolute.max(relative * expected[i].abs());
    let bad = (0..actual.len()).filter(|&i| {
        let same = actual[i] == expected[i] || (actual[i].is_nan() && expected[i].is_nan());
        // Written so that a NaN on one side only is a failure.
        !(same || excess(i) <= 0.0)
    });
    if let Some(i) = bad.max_by(|&a, &b| excess(a).total_cmp(&excess(b))) {
        panic!(
            "{what}: value {i} is {}, expected {} within {absolute:e} or {relative:e} of it (off by {:e})",
            actual[i],
            expected[i],
            (actual[i] - expected[i]).abs()
        );
    }
}
