//! [`Translation`]: the interface of a family.

use super::error::ConfigError;
use super::file_tensor::FileTensor;
use crate::decoder::{DecoderConfig, ParamKey};

/// The interface of a family.
pub(super) trait Translation {
    /// The decoder that computes a model.
    fn decoder(&self) -> Result<DecoderConfig, ConfigError>;

    /// The tensors of a parameter; see [`Family::tensors`](super::Family::tensors).
    fn tensors(&self, key: ParamKey, config: &DecoderConfig) -> Vec<FileTensor>;

    /// The prefix of most names, which some files omit.
    fn prefix(&self) -> &'static str {
        ""
    }

    /// See [`Family::is_harmless`](super::Family::is_harmless).
    fn is_harmless(&self, _name: &str) -> bool {
        false
    }

    /// See [`Family::tied_head_name`](super::Family::tied_head_name).
    fn tied_head_name(&self) -> Option<&'static str> {
        Some("lm_head.weight")
    }
}
