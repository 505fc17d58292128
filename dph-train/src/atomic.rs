//! [`write_atomically`]: files that are either whole or not there.

use std::path::Path;

use crate::error::TrainError;

/// Writes a file as [`dph_core::write_atomically`] does, so that a reader sees the old file or the new one.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    dph_core::write_atomically(path, bytes).map_err(|source| TrainError::io(path, source))
}
