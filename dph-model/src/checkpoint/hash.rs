//! A hash of the files that determine a model's output.

use std::path::{Path, PathBuf};

use dph_core::tokenizer_files::VOCABULARY_FILES;

use super::adapter::weights::adapter_weights;
use super::file_names::{ADAPTER_CONFIG_FILE, TOKENIZER_CONFIG_FILE};
use super::mapped::Mapped;
use super::weight_files::weight_files;
use super::{CONFIG_FILE, CheckpointError, ModelFiles, TOKENIZER_FILE};

/// BLAKE3 hash, in hexadecimal, of a model's configuration, weights and (if there is one) tokenizer.
///
/// Two models with the same hash have the same output. Other files are ignored. It reads every byte: about 0.2 s for
/// 270 MB.
///
/// # Errors
///
/// If the configuration or the weights are missing, or a file cannot be read.
pub fn content_hash(path: impl AsRef<Path>) -> Result<String, CheckpointError> {
    ModelFiles::open(path)?.content_hash()
}

impl ModelFiles {
    /// See [`content_hash`].
    ///
    /// # Errors
    ///
    /// As for [`content_hash`].
    pub fn content_hash(&self) -> Result<String, CheckpointError> {
        let mut hasher = blake3::Hasher::new();
        if let Some(gguf) = self.gguf() {
            for map in gguf.maps() {
                hasher.update(map.bytes());
            }
            return Ok(hasher.finalize().to_hex().to_string());
        }
        let dir = self.path();
        let mut paths = match self.adapter() {
            Some((_, base)) => {
                hasher.update(base.content_hash()?.as_bytes());
                vec![dir.join(ADAPTER_CONFIG_FILE), adapter_weights(dir)?.0]
            }
            None => {
                let (_, weights) = weight_files(dir)?;
                [vec![dir.join(CONFIG_FILE)], weights].concat()
            }
        };
        paths.extend(tokenizer_files(dir));
        for path in paths {
            let io = |source| CheckpointError::Io { path: path.clone(), source };
            let bytes = path.metadata().map_err(io)?.len();
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            hasher.update(&(name.len() as u64).to_le_bytes()).update(name).update(&bytes.to_le_bytes());
            if bytes > 0 {
                hasher.update(Mapped::open(&path, "model")?.bytes());
            }
        }
        Ok(hasher.finalize().to_hex().to_string())
    }
}

/// The files that determine the tokenizer.
fn tokenizer_files(dir: &Path) -> Vec<PathBuf> {
    let existing = |names: &[&str]| -> Vec<PathBuf> {
        names.iter().map(|name| dir.join(name)).filter(|path| path.exists()).collect()
    };
    match existing(&[TOKENIZER_FILE]) {
        files if !files.is_empty() => files,
        // Without a vocabulary there is no tokenizer.
        _ => match existing(&VOCABULARY_FILES) {
            files if files.is_empty() => files,
            files => {
                [files, existing(&[TOKENIZER_CONFIG_FILE, "special_tokens_map.json", "added_tokens.json"])]
                    .concat()
            }
        },
    }
}
