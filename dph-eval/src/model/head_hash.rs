//! A hash by which a preference head is recognised.

use std::path::Path;

use dph_core::{HEAD_WEIGHTS_FILE, HeadFileError, PreferenceHeadConfig};

use crate::model::error::ModelError;
use crate::model::locate::locate;
use crate::model::open::Model;

/// Digits of the hash.
const DIGITS: usize = 16;

impl Model {
    /// A hash of the preference head, of its configuration and weights; `None` for a model without one.
    pub fn head_hash(&self) -> Option<String> {
        let (head, config) = self.head.as_ref()?;
        Some(hash(config, &head.to_safetensors(config)))
    }
}

/// The same hash for the preference head in the last export of a run, which is not loaded; `None` if there is none.
///
/// # Errors
/// A directory without a model, or files that cannot be read.
pub(crate) fn head_hash_of_run(dir: &Path) -> Result<Option<String>, ModelError> {
    let export = locate(dir)?;
    let weights = export.join(HEAD_WEIGHTS_FILE);
    if !weights.is_file() {
        return Ok(None);
    }
    let config = PreferenceHeadConfig::load(&export)?;
    let weights = std::fs::read(&weights).map_err(|source| HeadFileError::Io { path: weights, source })?;
    Ok(Some(hash(&config, &weights)))
}

fn hash(config: &PreferenceHeadConfig, weights: &[u8]) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(&serde_json::to_vec(config).unwrap_or_default()).update(weights);
    hash.finalize().to_hex()[..DIGITS].to_owned()
}
