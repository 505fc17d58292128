//! What the golden tests have in common: models out of golden files, and batches out of golden tensors.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use dph_core::{Batch, PreferenceHead};
use dph_model::{Backbone, authors_head};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde_json::Value;

use dph_core::testing::{GoldenTensor, device};

/// The ways to compute: fused kernels, where the device has them, and operations that can be differentiated.
pub fn devices() -> [(&'static str, Device); 2] {
    [("fused", device()), ("composed", device().autodiff())]
}

/// A model whose configuration and weights lie in golden files, by way of a model directory.
pub fn lswt(config: &Value, weights: &Path, device: &Device) -> Backbone {
    Backbone::load(lswt_dir(config, weights).path(), device).unwrap()
}

/// As [`lswt`], with the preference head of the authors' checkpoint.
pub fn lswt_with_head(config: &Value, weights: &Path, device: &Device) -> (Backbone, PreferenceHead) {
    let dir = lswt_dir(config, weights);
    let (head, _) = authors_head(dir.path(), device).unwrap().unwrap();
    (Backbone::load(dir.path(), device).unwrap(), head)
}

fn lswt_dir(config: &Value, weights: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config.clone();
    config["model_type"] = "lsw_transformer".into();
    std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    std::fs::copy(weights, dir.path().join("model.safetensors")).unwrap();
    dir
}

/// Rows of token ids, each of which is one sequence; row `i` ends after `lengths[i]` tokens.
pub fn rows(ids: &GoldenTensor, lengths: &[usize]) -> Batch {
    let (rows, seq) = (ids.shape[0], ids.shape[1]);
    let places = || (0..rows).flat_map(|row| (0..seq).map(move |column| (row, column)));
    Batch {
        rows,
        seq,
        tokens: tokens(ids),
        positions: places().map(|(_, column)| column as i32).collect(),
        segments: places().map(|(row, column)| if column < lengths[row] { 0 } else { -1 }).collect(),
        ..Batch::default()
    }
}

pub fn tokens(ids: &GoldenTensor) -> Vec<i32> {
    ids.values.iter().map(|&id| id as i32).collect()
}

/// Some columns of token ids `[rows, seq]`.
pub fn columns(ids: &GoldenTensor, columns: std::ops::Range<usize>) -> Vec<i32> {
    tokens(ids).chunks(ids.shape[1]).flat_map(|row| row[columns.clone()].to_vec()).collect()
}

pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// Type, shape and bytes of all tensors of a file.
pub fn tensors_as_stored(path: &Path) -> BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter()
        .map(|(name, view)| (name.to_string(), (view.dtype(), view.shape().to_vec(), view.data().to_vec())))
        .collect()
}
