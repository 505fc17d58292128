//! The configuration of a model that an adapter turns into a class `*ForSequenceClassification`.

use std::path::Path;

use serde_json::{Value, json};

use super::config::AdapterConfig;
use super::names::{Part, part};
use super::weights::adapter_weights;
use crate::checkpoint::classes::classifier_class;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::tensors::Tensors;
use crate::family::{CLASSIFIER, ENCODER_CLASS, keys, label_count, labelled};

/// The classification layers: of causal language models, and of encoders.
const LAYERS: [&str; 2] = ["score.weight", "classifier.weight"];

/// Whether a tensor is the matrix of a classification layer.
pub(super) fn is_classification_layer(name: &str) -> bool {
    LAYERS
        .iter()
        .any(|layer| name.strip_suffix(layer).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// The configuration of the base of the adapter in `dir` with the class that the adapter was trained as, and as many classes as its layer
/// has rows. An adapter of the task SEQ_CLS, or with a layer of its own, names neither.
pub(crate) fn adapted_config(
    dir: &Path,
    config: &AdapterConfig,
    base: String,
) -> Result<String, CheckpointError> {
    // Invalid text is an error where it is read.
    let rows = rows(dir)?;
    let (true, Ok(mut keys)) = (config.is_classifier() || rows.is_some(), keys(&base)) else {
        return Ok(base);
    };
    let model_type = keys.get("model_type").and_then(Value::as_str).unwrap_or_default();
    let class = match model_type {
        "bert" => Some(ENCODER_CLASS),
        model_type => classifier_class(model_type),
    };
    let Some(class) = class else { return Ok(base) };
    let named = keys.get("architectures").and_then(|classes| classes[0].as_str());
    if !named.is_some_and(|named| named.ends_with(CLASSIFIER)) {
        keys.insert("architectures".into(), json!([class]));
    }
    match rows {
        Some(rows) if label_count(&keys) != Some(rows) => {
            let names: Vec<String> = (0..rows).map(|row| format!("LABEL_{row}")).collect();
            keys = labelled(keys, &names);
        }
        _ => {}
    }
    Ok(Value::Object(keys).to_string())
}

/// The rows of the classification layer of an adapter, if it has one.
fn rows(dir: &Path) -> Result<Option<usize>, CheckpointError> {
    // Without weights, the configuration is that of the base.
    let Ok((path, format)) = adapter_weights(dir) else { return Ok(None) };
    let own = Tensors::open_file(&path, format)?;
    let is_layer = |name: &str| matches!(part(name), Part::Whole(name) if is_classification_layer(&name));
    let layer = own.iter().find(|(name, _)| is_layer(name));
    Ok(layer.and_then(|(_, info)| info.shape.first().copied()))
}
