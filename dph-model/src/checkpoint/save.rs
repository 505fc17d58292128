//! Writes models and single files.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use burn_pack::AtomicFile;
use safetensors::tensor::{TensorView, View};
use safetensors::{Dtype, serialize_to_file};
use serde_json::Value;

use super::origin::Origin;
use super::{CONFIG_FILE, CheckpointError, WEIGHTS_FILE};
use crate::decoder::Decoder;
use crate::family::{FileTensor, Order, keys};

/// Writes `config.json` and `model.safetensors` into a directory, which is created if necessary.
///
/// The weights are f32 under the tensor names of the loaded files. The configuration keeps all its keys except the
/// number type. Each file is replaced atomically.
pub(crate) fn save(dir: &Path, origin: &Origin, decoder: &Decoder) -> Result<(), CheckpointError> {
    let Origin { json, family, config, naming, .. } = origin;
    fs::create_dir_all(dir).map_err(|source| CheckpointError::Io { path: dir.into(), source })?;
    let parameters: Vec<_> =
        decoder.parameters().into_iter().map(|(key, parameter)| (key, parameter.data())).collect();
    let mut tensors = Vec::new();
    for (key, data) in &parameters {
        let mut bytes = &data.bytes()[..];
        for tensor in family.named_tensors(*key, config, *naming) {
            let (own, rest) = bytes.split_at(4 * tensor.shape.iter().product::<usize>());
            tensors.push((in_file_order(own, &tensor), tensor));
            bytes = rest;
        }
    }
    let mut views = Vec::new();
    for (bytes, tensor) in &tensors {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).map_err(|error| {
            CheckpointError::Write { path: dir.join(WEIGHTS_FILE), problem: error.to_string() }
        })?;
        views.push((tensor.name.clone(), view));
    }
    write_tensors(&dir.join(WEIGHTS_FILE), views, || Ok(()))?;
    write_text(&dir.join(CONFIG_FILE), &with_type(json, "float32"))
}

/// f32 values in the order of the file.
fn in_file_order<'a>(bytes: &'a [u8], tensor: &FileTensor) -> Cow<'a, [u8]> {
    if tensor.order == Order::Same {
        return Cow::Borrowed(bytes);
    }
    let mut values: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    tensor.to_file(&mut values);
    Cow::Owned(values.into_iter().flat_map(f32::to_le_bytes).collect())
}

/// Writes a safetensors file atomically. The old file is replaced only if `check` succeeds after writing.
pub(super) fn write_tensors<V: View>(
    path: &Path,
    views: Vec<(String, V)>,
    check: impl FnOnce() -> std::io::Result<()>,
) -> Result<(), CheckpointError> {
    replace(path, |scratch, reserved| {
        let permissions = reserved.metadata()?.permissions();
        let format = HashMap::from([("format".to_string(), "pt".to_string())]);
        serialize_to_file(views, Some(format), scratch).map_err(std::io::Error::other)?;
        check()?;
        // The writer replaces the reserved file by a private one.
        fs::set_permissions(scratch, permissions)
    })
}

/// Writes a small file, atomically.
pub(super) fn write_text(path: &Path, text: &str) -> Result<(), CheckpointError> {
    replace(path, |_, reserved| {
        reserved.write_all(text.as_bytes())?;
        reserved.sync_all()
    })
}

/// The configuration with another number type, by its PyTorch name.
pub(super) fn with_type(json: &str, name: &str) -> String {
    // The text was parsed before, when the model was created.
    let mut keys = keys(json).unwrap_or_default();
    let key = if keys.contains_key("dtype") { "dtype" } else { "torch_dtype" };
    keys.insert(key.into(), name.into());
    format!("{:#}\n", Value::Object(keys))
}

/// Replaces a file: `write` creates a temporary file beside it, which is then renamed.
fn replace(
    path: &Path,
    write: impl FnOnce(&Path, &mut fs::File) -> std::io::Result<()>,
) -> Result<(), CheckpointError> {
    let failed = |problem: String| CheckpointError::Write { path: path.into(), problem };
    let (scratch, mut reserved) = AtomicFile::create(path).map_err(|error| failed(error.to_string()))?;
    write(scratch.path(), &mut reserved).map_err(|error| failed(error.to_string()))?;
    drop(reserved);
    scratch.commit().map_err(|error| failed(error.to_string()))
}
