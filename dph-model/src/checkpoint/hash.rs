//! A hash of what a model computes.

use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

use super::shards::weight_files;
use super::{CONFIG_FILE, CheckpointError};

/// Name of the file with the tokenizer.
const TOKENIZER_FILE: &str = "tokenizer.json";

/// BLAKE3 hash, in hexadecimal, of a model directory's configuration, weights and (where there is one) tokenizer.
///
/// Two directories with the same hash give the same numbers; other files do not count. It reads every byte: about
/// 0.2 s for 270 MB.
///
/// # Errors
///
/// If there is no configuration or there are no weights, or a file cannot be read.
pub fn content_hash(dir: &Path) -> Result<String, CheckpointError> {
    let mut paths = weight_files(dir)?;
    paths.insert(0, dir.join(CONFIG_FILE));
    paths.extend(Some(dir.join(TOKENIZER_FILE)).filter(|path| path.exists()));
    let mut hasher = blake3::Hasher::new();
    for path in paths {
        let io = |source| CheckpointError::Io { path: path.clone(), source };
        let file = File::open(&path).map_err(io)?;
        let bytes = file.metadata().map_err(io)?.len();
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name).update(&bytes.to_le_bytes());
        if bytes > 0 {
            // SAFETY: as for the weights: whoever changes the file in place meanwhile gets another hash, and writers
            // in this workspace replace files instead.
            hasher.update(&unsafe { Mmap::map(&file) }.map_err(io)?);
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}
