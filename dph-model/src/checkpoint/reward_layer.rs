//! The names of the reward layer of models that other programs trained.

use super::weight_files::Format;

/// The layer of the classes `*ForSequenceClassification` of transformers.
pub(super) const SCORE: &str = "score";

/// The names of the layer.
pub(super) const LAYERS: [&str; 4] = [SCORE, "v_head.summary", "v_head", "value_head"];

/// The files that hold a value head and nothing else.
pub(super) const VALUE_HEAD_FILES: [(&str, Format); 2] =
    [("value_head.safetensors", Format::Safetensors), ("value_head.bin", Format::Pytorch)];

/// The key of a `config.json` with what transformers does not know of the layer: which token it reads, and its bias.
pub(super) const OWN_KEY: &str = "preference_head";

/// Whether a tensor is a part of such a layer.
pub(super) fn is_of_reward_layer(name: &str) -> bool {
    let is_part = |layer: &&str| matches!(name.strip_prefix(*layer), Some(".weight" | ".bias"));
    LAYERS.iter().any(is_part)
}
