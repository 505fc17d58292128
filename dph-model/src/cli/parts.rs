//! The number of parameters by part of the model.

use std::collections::BTreeMap;

use dph_model::checkpoint::TensorInfo;
use dph_model::decoder::{BlockSlot, Slot};
use dph_model::{DecoderConfig, Family};
use serde::Serialize;

/// The parts, in the order of a table.
const PARTS: [&str; 5] = ["embedding", "attention", "feed-forward", "norms", "output"];

/// A part of a model.
#[derive(Debug, Serialize)]
pub(crate) struct Part {
    pub part: &'static str,
    pub tensors: usize,
    pub parameters: usize,
    /// Their types in the files; empty without files.
    pub types: Vec<String>,
}

/// The parts of a model that have parameters.
pub(crate) fn parts(
    family: &Family,
    config: &DecoderConfig,
    infos: &BTreeMap<String, TensorInfo>,
) -> Vec<Part> {
    let naming = family.naming(&infos.keys().map(String::as_str).collect::<Vec<_>>(), config);
    let mut parts = PARTS.map(|part| Part { part, tensors: 0, parameters: 0, types: Vec::new() });
    for slot in config.slots() {
        let name = part_of(slot);
        let tensors = family.named_tensors(slot, config, naming);
        for part in parts.iter_mut().filter(|part| part.part == name) {
            part.parameters += config.shape(slot).iter().product::<usize>();
            part.tensors += tensors.len();
            let types =
                tensors.iter().filter_map(|tensor| Some(infos.get(&tensor.name)?.element.to_string()));
            part.types.extend(types);
            part.types.sort();
            part.types.dedup();
        }
    }
    parts.into_iter().filter(|part| part.parameters > 0).collect()
}

fn part_of(slot: Slot) -> &'static str {
    match slot {
        Slot::Block(_, BlockSlot::MlpInput(_) | BlockSlot::MlpOutput(_)) => "feed-forward",
        Slot::Block(_, BlockSlot::AttentionNorm(_) | BlockSlot::MlpNorm(_)) | Slot::OutputNorm(_) => "norms",
        Slot::Block(..) => "attention",
        Slot::Head | Slot::HeadProjection | Slot::Pooler(_) | Slot::Classifier(_) => "output",
        _ => "embedding",
    }
}
