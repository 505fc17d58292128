//! The directory of golden vectors, for the golden tests of every crate.
//!
//! It is the one named by `DPH_GOLDEN`; without that, `shared/golden` beside the workspace, where nothing may be
//! lacking; without that too, the compact copy in `dph-core/tests/golden`, so that a clone alone proves parity.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde_json::Value;

/// A directory of golden vectors.
pub struct Golden {
    dir: PathBuf,
    /// Whether a section that lacks is a failure.
    complete: bool,
}

/// A tensor of a golden file: its shape and values, widened to f64.
#[derive(Debug, Clone, PartialEq)]
pub struct GoldenTensor {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

impl Golden {
    /// Finds the directory and says on stderr which one it is where that matters.
    pub fn open() -> Self {
        if let Some(dir) = std::env::var_os("DPH_GOLDEN") {
            return Self { dir: dir.into(), complete: false };
        }
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let shared = workspace.join("../shared/golden");
        if shared.is_dir() {
            return Self { dir: shared, complete: true };
        }
        let compact = workspace.join("dph-core/tests/golden");
        eprintln!(
            "GOLDEN: only the compact vectors in {} are tested; set DPH_GOLDEN for all",
            compact.display()
        );
        Self { dir: compact, complete: false }
    }

    /// The json file of a section, or `None` where the directory lacks it, which is said on stderr.
    ///
    /// # Panics
    ///
    /// If it lacks in the default directory.
    pub fn json(&self, file: &str) -> Option<Value> {
        self.path(file).map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
    }

    /// The tensors of a safetensors file, under the same conditions as [`json`](Self::json).
    pub fn tensors(&self, file: &str) -> Option<BTreeMap<String, GoldenTensor>> {
        self.path(file).map(|path| read_tensors(&path))
    }

    /// The path of a file or folder, under the same conditions as [`json`](Self::json).
    pub fn path(&self, file: &str) -> Option<PathBuf> {
        let path = self.dir.join(file);
        if path.exists() {
            return Some(path);
        }
        assert!(!self.complete, "golden section {file} is missing in {}", self.dir.display());
        eprintln!("GOLDEN: {} lacks {file}: left out", self.dir.display());
        None
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
