//! Settings that several families share.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::ConfigError;
use crate::decoder::{Activation, RotaryScaling};

/// Scaling of the rotary wavelengths: `rope_scaling` or `rope_parameters`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct RopeScaling {
    /// `default`, `linear` or `llama3`.
    pub rope_type: Option<String>,
    /// The older name of the same key. Some files have both.
    #[serde(rename = "type")]
    pub old_rope_type: Option<String>,
    /// Base. It counts more than the key beside the table.
    pub rope_theta: Option<f64>,
    /// Fraction of a head that is rotated, only in `rope_parameters`.
    pub partial_rotary_factor: Option<f64>,
    /// See [`RotaryScaling::Linear`] and [`RotaryScaling::Llama3`].
    pub factor: Option<f64>,
    /// See [`RotaryScaling::Llama3`].
    pub low_freq_factor: Option<f64>,
    /// See [`RotaryScaling::Llama3`].
    pub high_freq_factor: Option<f64>,
    /// See [`RotaryScaling::Llama3`]; the longest sequence if absent.
    pub original_max_position_embeddings: Option<usize>,
}

/// The scaling of a configuration with the older key `rope_scaling` or the newer one `rope_parameters`, for sequences of at most
/// `context` tokens.
pub(super) fn rotary_scaling(
    older: Option<&RopeScaling>,
    newer: Option<&RopeScaling>,
    context: usize,
) -> Result<RotaryScaling, ConfigError> {
    match (older, newer) {
        (Some(scaling), _) => scaling.rotary("rope_scaling", context),
        (None, Some(scaling)) => scaling.rotary("rope_parameters", context),
        (None, None) => Ok(RotaryScaling::None),
    }
}

/// The base of the rotary angles that `rope_parameters` or `rope_scaling` contains.
pub(super) fn rope_theta(older: Option<&RopeScaling>, newer: Option<&RopeScaling>) -> Option<f64> {
    [newer, older].into_iter().flatten().find_map(|rope| rope.rope_theta)
}

impl RopeScaling {
    fn rotary(&self, table: &'static str, context: usize) -> Result<RotaryScaling, ConfigError> {
        match self.kind(table)? {
            "default" => Ok(RotaryScaling::None),
            "linear" => {
                Ok(RotaryScaling::Linear { factor: required("linear", "rope_scaling.factor", self.factor)? })
            }
            "llama3" => {
                let required = |key, value| required("llama3", key, value);
                Ok(RotaryScaling::Llama3 {
                    factor: required("rope_scaling.factor", self.factor)?,
                    low_freq_factor: required("rope_scaling.low_freq_factor", self.low_freq_factor)?,
                    high_freq_factor: required("rope_scaling.high_freq_factor", self.high_freq_factor)?,
                    original_context: self.original_max_position_embeddings.unwrap_or(context),
                })
            }
            other => {
                Err(unsupported("rope_scaling.rope_type", other, "supported are default, linear, llama3"))
            }
        }
    }

    /// The type under its newer or its older key.
    fn kind(&self, table: &'static str) -> Result<&str, ConfigError> {
        match (&self.rope_type, &self.old_rope_type) {
            (Some(new), Some(old)) if new != old => {
                Err(ConfigError::RopeTypes { table, old: old.clone(), new: new.clone() })
            }
            (Some(kind), _) | (None, Some(kind)) => Ok(kind),
            (None, None) => Ok("default"),
        }
    }
}

/// The activation with the Hugging Face name `name`, the value of `key`.
pub(super) fn activation(key: &'static str, name: &str) -> Result<Activation, ConfigError> {
    match name {
        "silu" | "swish" => Ok(Activation::Silu),
        "gelu" | "gelu_python" => Ok(Activation::Gelu),
        "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Ok(Activation::GeluTanh),
        "quick_gelu" => Ok(Activation::QuickGelu),
        "relu" => Ok(Activation::Relu),
        other => Err(unsupported(
            key,
            other,
            "supported are silu, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, quick_gelu, relu",
        )),
    }
}

/// Rejects settings of any family that are not supported and would change the output.
pub(super) fn check_common(keys: &Map<String, Value>) -> Result<(), ConfigError> {
    let is_off = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(keys) => keys.is_empty(),
        _ => false,
    };
    if let Some(value) = keys.get("quantization_config").filter(|value| !value.is_null()) {
        return Err(ConfigError::Unsupported {
            key: "quantization_config",
            value: value.to_string(),
            hint: Some("use a checkpoint in f32, f16 or bf16".into()),
        });
    }
    // BERT is an encoder. transformers lets the other families attend in both directions.
    let is_encoder = keys.get("model_type").is_some_and(|model_type| model_type == "bert");
    if !is_encoder && keys.get("is_causal").is_some_and(|value| value == false) {
        return Err(ConfigError::Unsupported {
            key: "is_causal",
            value: "false".into(),
            hint: Some("attention in both directions is computed for bert only".into()),
        });
    }
    for key in ["add_cross_attention", "is_encoder_decoder", "pruned_heads"] {
        if let Some(value) = keys.get(key).filter(|value| !is_off(value)) {
            return Err(ConfigError::Unsupported { key, value: value.to_string(), hint: None });
        }
    }
    Ok(())
}

/// A text value that is not supported.
pub(super) fn unsupported(key: &'static str, value: &str, hint: &str) -> ConfigError {
    ConfigError::Unsupported { key, value: format!("{value:?}"), hint: Some(hint.into()) }
}

/// Rejects a setting with the value `value` if only `supported` is supported.
pub(super) fn only(key: &'static str, value: bool, supported: bool) -> Result<(), ConfigError> {
    match value == supported {
        true => Ok(()),
        false => Err(ConfigError::Unsupported { key, value: value.to_string(), hint: None }),
    }
}

/// The size of a head if `d_model` is divided by `heads`.
pub(super) fn head_dim(d_model: usize, heads: usize) -> Result<usize, ConfigError> {
    if !d_model.is_multiple_of(heads.max(1)) {
        let problem = format!("the hidden size {d_model} cannot be divided among {heads} heads");
        return Err(ConfigError::Sizes { problem });
    }
    Ok(d_model / heads.max(1))
}

fn required(kind: &str, key: &'static str, value: Option<f64>) -> Result<f64, ConfigError> {
    value.ok_or_else(|| ConfigError::Unsupported {
        key,
        value: "null".into(),
        hint: Some(format!("the rope_type {kind} needs it")),
    })
}
