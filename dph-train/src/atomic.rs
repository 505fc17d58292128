//! [`write_atomically`]: writes files that are never incomplete.

use std::path::Path;

use crate::error::TrainError;

/// Writes a file with [`dph_core::write_atomically`]; a reader sees the old file or the new file.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    dph_core::write_atomically(path, bytes).map_err(|source| TrainError::io(path, source))
}
