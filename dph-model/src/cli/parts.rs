//! The number of parameters by part of the model.

use std::collections::BTreeMap;

use dph_model::checkpoint::TensorInfo;
use dph_model::decoder::{BlockParamKey, ParamKey};
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
    for key in config.param_keys() {
        let name = part_of(key);
        let tensors = family.named_tensors(key, config, naming);
        for part in parts.iter_mut().filter(|part| part.part == name) {
            part.parameters += config.shape(key).iter().product::<usize>();
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

fn part_of(key: ParamKey) -> &'static str {
    match key {
        ParamKey::Block(_, BlockParamKey::MlpInput(_) | BlockParamKey::MlpOutput(_)) => "feed-forward",
        ParamKey::Block(_, BlockParamKey::AttentionNorm(_) | BlockParamKey::MlpNorm(_))
        | ParamKey::OutputNorm(_) => "norms",
        ParamKey::Block(..) => "attention",
        ParamKey::Head | ParamKey::HeadProjection | ParamKey::Pooler(_) | ParamKey::Classifier(_) => "output",
        _ => "embedding",
    }
}
