//! A calibration on disk: `calibration.json`.

use std::io;
use std::path::Path;

use dph_core::text_file::read_text;

use crate::calibration::calibrate::{Calibration, FORMAT};
use crate::calibration::error::CalibrationError;
use crate::file_error::{FileError, write_file};

/// File name of a calibration, beside `results.json` or beside a model.
pub const CALIBRATION_FILE: &str = "calibration.json";

impl Calibration {
    /// Writes `calibration.json` into a directory that exists, atomically.
    ///
    /// # Errors
    /// The file cannot be written; an old one is then still there.
    pub fn save(&self, dir: &Path) -> Result<(), CalibrationError> {
        let path = dir.join(CALIBRATION_FILE);
        let json = serde_json::to_string_pretty(self)
            .map_err(|source| FileError::Json { path: path.clone(), source })?;
        Ok(write_file(path, (json + "\n").as_bytes())?)
    }

    /// Reads `calibration.json` in a directory.
    ///
    /// # Errors
    /// The file is missing or has invalid content.
    pub fn load(dir: &Path) -> Result<Self, CalibrationError> {
        let path = dir.join(CALIBRATION_FILE);
        let json = match read_text(&path) {
            Ok(json) => json,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(CalibrationError::Missing { path: dir.to_owned() });
            }
            Err(source) => return Err(FileError::Io { path, source }.into()),
        };
        let found: Self =
            serde_json::from_str(&json).map_err(|source| FileError::Json { path: path.clone(), source })?;
        match found.format > FORMAT {
            true => Err(CalibrationError::Format { path, format: found.format }),
            false => Ok(found),
        }
    }
}
