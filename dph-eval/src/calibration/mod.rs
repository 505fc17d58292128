//! What a reward says as a probability, and which rewards are good enough.

mod calibrate;
mod error;
mod file;
mod length;
mod reliability;
mod table;
mod threshold;

pub use calibrate::{Calibration, ScorerCalibration};
pub use error::CalibrationError;
pub use file::CALIBRATION_FILE;
pub use length::{LengthCorrelation, LengthGroup};
pub(crate) use reliability::probabilities;
pub use reliability::{Bin, Reliability};
pub use threshold::Threshold;
