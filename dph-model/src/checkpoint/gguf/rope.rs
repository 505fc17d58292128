//! The rotary scaling. Of Llama 3, a GGUF file stores the factors, and Hugging Face the settings.

use serde_json::{Value, json};

use super::Gguf;
use crate::checkpoint::CheckpointError;

/// Name of the tensor with one factor for each rotated pair.
pub(crate) const FACTORS: &str = "rope_freqs.weight";

/// The settings of all published Llama 3 models; only the factor differs.
const LOW: f64 = 1.0;
const HIGH: f64 = 4.0;
const ORIGINAL_CONTEXT: f64 = 8192.0;
/// Relative rounding error of f32.
const TOLERANCE: f64 = 1e-4;

impl Gguf {
    /// The `rope_scaling` of the model, or null.
    pub(super) fn rope_scaling(&self, theta: f64, head_dim: usize) -> Result<Value, CheckpointError> {
        let key = self.key("rope.scaling.type");
        let kind = self.text(&key)?;
        // The second key is from files before August 2023. A factor of 0 means none.
        let factor = match self.number("rope.scaling.factor")? {
            None => self.number("rope.scale_linear")?,
            factor => factor,
        };
        let factor = factor.filter(|factor| *factor != 0.0);
        let scaling = match (kind, factor) {
            (Some("none"), _) | (None | Some("linear"), None | Some(1.0)) => None,
            (None, Some(factor)) => Some(json!({ "rope_type": "linear", "factor": factor })),
            // Unsupported kinds are rejected when the configuration is read.
            (Some(kind), factor) => Some(json!({ "rope_type": kind, "factor": factor })),
        };
        if let Some(scaling) = scaling {
            return match self.tensors.contains_key(FACTORS) {
                true => Err(self.unsupported(format!(
                    "{key} (or its factor) and {FACTORS} both scale the rotation; use the Hugging Face directory of this model"
                ))),
                false => Ok(scaling),
            };
        }
        let Some(tensor) = self.tensors.get(FACTORS) else { return Ok(Value::Null) };
        if tensor.shape.iter().product::<usize>() != head_dim / 2 || !tensor.element.is_readable() {
            return Err(
                self.unsupported(format!("{FACTORS} of {:?} does not fit heads of {head_dim}", tensor.shape))
            );
        }
        let mut factors = vec![0.0; head_dim / 2];
        tensor.element.widen(self.bytes(tensor), &mut factors);
        let factor = factors.iter().copied().fold(1.0f32, f32::max);
        let expected = (0..factors.len()).map(|pair| stretch(theta, head_dim, pair, factor.into()));
        let fits = expected
            .zip(&factors)
            .all(|(expected, &found)| (expected / f64::from(found) - 1.0).abs() < TOLERANCE);
        if !fits {
            return Err(self.unsupported(format!(
                "the rotary factors in {FACTORS} are not those of Llama 3; use the Hugging Face directory of this model"
            )));
        }
        Ok(json!({
            "rope_type": "llama3", "factor": factor, "low_freq_factor": LOW, "high_freq_factor": HIGH,
            "original_max_position_embeddings": ORIGINAL_CONTEXT as usize,
        }))
    }
}

/// The factor by which the wavelength of a pair is scaled; see
/// [`RotaryScaling::Llama3`](crate::decoder::RotaryScaling).
fn stretch(theta: f64, head_dim: usize, pair: usize, factor: f64) -> f64 {
    let wavelength = std::f64::consts::TAU * theta.powf(2.0 * pair as f64 / head_dim as f64);
    if wavelength < ORIGINAL_CONTEXT / HIGH {
        1.0
    } else if wavelength > ORIGINAL_CONTEXT / LOW {
        factor
    } else {
        let smooth = (ORIGINAL_CONTEXT / wavelength - LOW) / (HIGH - LOW);
        1.0 / ((1.0 - smooth) / factor + smooth)
    }
}
