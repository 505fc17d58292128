//! The names of the reward layer of models that other programs trained.

use super::weight_files::Format;

/// The names of the layer.
pub(super) const LAYERS: [&str; 4] = ["score", "v_head.summary", "v_head", "value_head"];

/// The files that hold a value head and nothing else.
pub(super) const VALUE_HEAD_FILES: [(&str, Format); 2] =
    [("value_head.safetensors", Format::Safetensors), ("value_head.bin", Format::Pytorch)];

/// Whether a tensor is a part of such a layer.
pub(super) fn is_of_reward_layer(name: &str) -> bool {
    let is_part = |layer: &&str| matches!(name.strip_prefix(layer), Some(".weight" | ".bias"));
    LAYERS.iter().any(|layer| is_part(&layer))
}
