//! The reward head of models that other programs trained: a linear layer on the last state of the last token of a conversation. The
//! classes of transformers leave out padding at the end of the conversation.
//!
//! | model | tensors |
//! |---|---|
//! | `*ForSequenceClassification` of transformers | `score.weight`, one row for each label |
//! | value heads of TRL | `v_head.summary.weight` and `.bias` |
//! | value heads of LLaMA-Factory | the same in `value_head.safetensors` or `value_head.bin` |

use std::path::Path;

use dph_core::{Ending, PreferenceHeadConfig};
use serde_json::{Map, Value};

use super::classes::{is_known_class, is_token_classifier};
use super::head_tensors::{HeadTensor, StoredHead};
use super::load::{LoadOptions, fit, read};
use super::reward_layer::{LAYERS, OWN_KEY, SCORE, VALUE_HEAD_FILES};
use super::tensors::Tensors;
use super::{CheckpointError, ModelFiles};
use crate::decoder::{DecoderConfig, ParamKey};
use crate::family::{Family, FileTensor, REWARDS, keys, label_count};

/// The reward head in a model directory of another program, in f32, or `None` if there is none. A single reward is called `preference`
/// and several ones as their labels.
pub(super) fn find(
    files: &ModelFiles,
    json: &str,
    family: &Family,
    config: &DecoderConfig,
    model: &Tensors,
) -> Result<Option<StoredHead>, CheckpointError> {
    if !config.causal {
        return Ok(None);
    }
    let Some((tensors, layer)) = stored_layer(files, model)? else { return Ok(None) };
    let tensors = tensors.as_ref().unwrap_or(model);
    let (weight, bias) = (format!("{layer}.weight"), format!("{layer}.bias"));
    let keys = keys(json).unwrap_or_default();
    let class = keys.get("architectures").and_then(|classes| classes.get(0)?.as_str());
    if let Some(class) = class.filter(|class| is_token_classifier(class)) {
        return Err(CheckpointError::TokenClassifier { path: files.path().into(), class: class.into() });
    }
    let labels = tensors.info(&weight).and_then(|info| info.shape.first().copied()).unwrap_or(1);
    if let Some(stated) = label_count(&keys).filter(|stated| layer == SCORE && *stated != labels) {
        return Err(CheckpointError::RewardRows {
            path: files.path().into(),
            tensor: weight,
            rows: labels,
            labels: stated,
        });
    }
    let width = config.embedding_width();
    let mut needed = vec![FileTensor::new(weight, vec![labels, width])];
    let mut warnings = Vec::new();
    if tensors.info(&bias).is_some() && layer == SCORE {
        warnings.push(format!(
            "{}: the tensor {bias} is left out, as transformers leaves it out: the layer `score` of its classes has no bias",
            files.path().display()
        ));
    } else if tensors.info(&bias).is_some() {
        needed.push(FileTensor::new(bias, vec![labels]));
    }
    fit(&needed, Vec::new(), tensors)?;
    let read =
        |tensor: &FileTensor, tensors| read(std::slice::from_ref(tensor), tensors, LoadOptions::default());
    let mut rows = read(&needed[0], tensors)?;
    if config.d_vocab.is_some() {
        rows = behind_projection(&rows, family, config, model)?;
    }
    let names = names(&keys, labels);
    let own = keys.get(OWN_KEY).cloned().unwrap_or_default();
    let ending = serde_json::from_value(own["ending"].clone()).ok();
    let ending = ending.unwrap_or_else(|| match padding(&keys, family) {
        Some(pad) if layer == SCORE => Ending::Unpadded(pad),
        _ => Ending::Conversation,
    });
    let offset = |label: usize| own["offset"][label].as_f64().unwrap_or(0.0) as f32;
    let has_bias = needed.len() > 1 || own["offset"].is_array();
    let mut ours: Vec<HeadTensor> = Vec::new();
    for (name, row) in names.iter().zip(rows.chunks(config.d_model)) {
        ours.push((format!("{REWARDS}{name}.weight"), vec![1, config.d_model], row.to_vec()));
    }
    if has_bias {
        let stored = needed.get(1).map(|bias| read(bias, tensors)).transpose()?;
        let stored = stored.unwrap_or_else(|| vec![0.0; labels]);
        for (label, (name, value)) in names.iter().zip(stored).enumerate() {
            ours.push((format!("{REWARDS}{name}.bias"), vec![1], vec![value + offset(label)]));
        }
    }
    let config = PreferenceHeadConfig {
        rewards: names,
        bias: has_bias,
        ending,
        ..PreferenceHeadConfig::new(config.d_model, config.d_ffn)
    };
    if let Some(class) = class.filter(|class| !is_known_class(class)) {
        warnings.push(format!(
            "{}: config.json names the class {class}, which this program does not know; its layer {layer} is read as one linear layer on the last \
             state of the last token, so compare some rewards with those of the program that trained it",
            files.path().display()
        ));
    }
    Ok(Some(StoredHead { config, tensors: ours, warnings }))
}

/// The name of the layer, and its tensors if they are in a file of their own.
fn stored_layer(
    files: &ModelFiles,
    model: &Tensors,
) -> Result<Option<(Option<Tensors>, &'static str)>, CheckpointError> {
    let layers = |tensors: &Tensors| -> Vec<&'static str> {
        LAYERS.into_iter().filter(|layer| tensors.info(&format!("{layer}.weight")).is_some()).collect()
    };
    let inside = layers(model);
    let mut files_of_head = VALUE_HEAD_FILES.iter().map(|(name, format)| (files.path().join(name), *format));
    let file = files_of_head.find(|(path, _)| path.exists());
    match (&inside[..], file) {
        ([], None) => {}
        ([], Some((path, format))) => {
            let tensors = Tensors::open_file(&path, format)?;
            return match layers(&tensors)[..] {
                [layer] => Ok(Some((Some(tensors), layer))),
                _ => Err(other_head(&path, &tensors)),
            };
        }
        ([layer], None) => return Ok(Some((None, layer))),
        (layers, file) => {
            let layers = layers.iter().map(|layer| format!("{layer}.weight"));
            let places = layers.chain(file.map(|(path, _)| path.display().to_string()));
            let places = places.collect::<Vec<_>>().join(" and ");
            return Err(CheckpointError::RewardLayers { path: files.path().into(), places });
        }
    }
    let is_other = |name: &str| LAYERS.iter().any(|layer| name.starts_with(&format!("{layer}.")));
    match model.iter().any(|(name, _)| is_other(name)) {
        true => Err(other_head(files.path(), model)),
        false => Ok(None),
    }
}

/// The padding token by which transformers finds the last token.
fn padding(keys: &Map<String, Value>, family: &Family) -> Option<u32> {
    match keys.get("pad_token_id") {
        Some(id) => id.as_u64().and_then(|id| u32::try_from(id).ok()),
        // The default of transformers.
        None => matches!(family, Family::Opt(_)).then_some(1),
    }
}

/// The error for a head that is not one linear layer.
fn other_head(path: &Path, tensors: &Tensors) -> CheckpointError {
    let is_of_head = |name: &&str| LAYERS.iter().any(|layer| name.starts_with(layer));
    let all = || tensors.iter().map(|(name, _)| name);
    let mut names: Vec<&str> = all().filter(is_of_head).collect();
    if names.is_empty() {
        names = all().collect();
    }
    CheckpointError::RewardHead { path: path.into(), tensors: names.join(", ") }
}

/// The rows of a layer that reads states behind the projection to the embedding size (of OPT 350M), as rows for the states before it.
fn behind_projection(
    rows: &[f32],
    family: &Family,
    config: &DecoderConfig,
    model: &Tensors,
) -> Result<Vec<f32>, CheckpointError> {
    let naming = family.naming(&model.iter().map(|(name, _)| name).collect::<Vec<_>>(), config);
    let projection = family.named_tensors(ParamKey::HeadProjection, config, naming);
    fit(&projection, Vec::new(), model)?;
    let projection = read(&projection, model, LoadOptions::default())?;
    let d_model = config.d_model;
    let row = |row: &[f32]| {
        let mut sum = vec![0.0; d_model];
        for (weight, projected) in row.iter().zip(projection.chunks(d_model)) {
            sum.iter_mut().zip(projected).for_each(|(sum, value)| *sum += weight * value);
        }
        sum
    };
    Ok(rows.chunks(config.embedding_width()).flat_map(row).collect())
}

/// The names of the rewards: the labels of the configuration, if there are as many different ones.
fn names(keys: &Map<String, Value>, labels: usize) -> Vec<String> {
    let label = |index: usize| Some(keys.get("id2label")?.get(index.to_string())?.as_str()?.to_string());
    let mut given: Vec<String> = (0..labels).filter_map(label).collect();
    let mut different = given.clone();
    different.sort();
    different.dedup();
    if different.len() < labels {
        given = (0..labels).map(|index| format!("LABEL_{index}")).collect();
    }
    match &given[..] {
        [only] if only == "LABEL_0" => vec!["preference".into()],
        _ => given,
    }
}
