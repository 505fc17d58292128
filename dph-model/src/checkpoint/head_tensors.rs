//! A preference head from the tensors of other programs.

use std::path::Path;

use burn::tensor::Device;
use dph_core::{PreferenceHead, PreferenceHeadConfig};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::{CheckpointError, WEIGHTS_FILE};

/// A tensor of a head: our name for it, its shape and its values.
pub(super) type HeadTensor = (String, Vec<usize>, Vec<f32>);

/// A head as other programs store it.
pub(super) struct StoredHead {
    pub config: PreferenceHeadConfig,
    pub tensors: Vec<HeadTensor>,
    /// What a user should know of how it was read.
    pub warnings: Vec<String>,
}

impl StoredHead {
    /// The head with its configuration. Errors name the weights of `dir`.
    pub fn build(
        self,
        dir: &Path,
        device: &Device,
    ) -> Result<(PreferenceHead, PreferenceHeadConfig), CheckpointError> {
        let Self { config, tensors, .. } = self;
        let path = dir.join(WEIGHTS_FILE);
        let bytes: Vec<Vec<u8>> = tensors
            .iter()
            .map(|(_, _, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect())
            .collect();
        let damaged = |error: safetensors::SafeTensorError| CheckpointError::Damaged {
            path: path.clone(),
            format: "safetensors",
            bytes: bytes.iter().map(|bytes| bytes.len() as u64).sum(),
            problem: error.to_string(),
        };
        let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
            Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?))
        });
        let views = views.collect::<Result<Vec<_>, _>>().map_err(damaged)?;
        let ours = safetensors::serialize(views, None).map_err(damaged)?;
        Ok((PreferenceHead::from_safetensors(&ours, &path, &config, device)?, config))
    }
}
