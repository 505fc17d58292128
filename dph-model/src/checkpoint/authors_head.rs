//! The preference head in a checkpoint of the paper's authors, which is stored with the weights of the language
//! model.
//!
//! `reward_heads.<name>.weight` are the reward heads. `pooler_pipeline.<i>` is the pooling, numbered over all its
//! steps, including dropout and activations: a leading dropout (`t5`, `swiglu_t5`) shifts the numbers by one.

use std::path::Path;

use burn::tensor::Device;
use dph_core::{PoolingKind, PreferenceHead, PreferenceHeadConfig};

use super::head_tensors::StoredHead;
use super::load::{LoadOptions, describe, fit, read};
use super::open_tensors::open_tensors;
use super::tensors::Tensors;
use super::{CheckpointError, ModelFiles};
use crate::family::{ConfigError, Family, FileTensor, LswtConfig, POOLER, REWARDS};

/// Default of `reward_pooler`.
const DEFAULT_POOLER: &str = "identity";

/// The preference head in a model directory of the paper's authors, in f32, or `None` if the model is of another family or
/// has no reward heads. [`PreferenceHead::save`] writes it in our layout.
///
/// # Errors
///
/// If the directory cannot be read, `reward_pooler` is not known, or a tensor of the head is missing, unexpected or
/// has the wrong shape.
pub fn authors_head(
    dir: &Path,
    device: &Device,
) -> Result<Option<(PreferenceHead, PreferenceHeadConfig)>, CheckpointError> {
    let files = ModelFiles::open(dir)?;
    let (_, family, _) = describe(&files, Family::decoder)?;
    let head = find(&files, &family, &open_tensors(&files)?)?;
    head.map(|head| head.build(dir, device)).transpose()
}

/// The head of a model of the authors' family.
pub(super) fn find(
    files: &ModelFiles,
    family: &Family,
    stored: &Tensors,
) -> Result<Option<StoredHead>, CheckpointError> {
    let Family::Lswt(lswt) = family else { return Ok(None) };
    let of_head = |name: &&str| name.starts_with(REWARDS) || name.starts_with(POOLER);
    let found: Vec<&str> = stored.iter().map(|(name, _)| name).filter(of_head).collect();
    if !found.iter().any(|name| name.starts_with(REWARDS)) {
        return Ok(None);
    }
    let config = head_config(lswt, &found)
        .map_err(|source| CheckpointError::Config { path: files.config_path(), source })?;
    let tensors = tensors(&config);
    let is_needed = |name: &str| tensors.iter().any(|(_, theirs)| theirs.name == name);
    let superfluous = found.iter().copied().filter(|name| !is_needed(name)).collect();
    let needed: Vec<FileTensor> = tensors.iter().map(|(_, theirs)| theirs.clone()).collect();
    fit(&needed, superfluous, stored)?;

    let ours = tensors.into_iter().map(|(name, theirs)| {
        let values = read(std::slice::from_ref(&theirs), stored, LoadOptions::default())?;
        Ok((name, theirs.shape, values))
    });
    let tensors = ours.collect::<Result<Vec<_>, CheckpointError>>()?;
    Ok(Some(StoredHead { config, tensors, warnings: Vec::new() }))
}

fn head_config(lswt: &LswtConfig, found: &[&str]) -> Result<PreferenceHeadConfig, ConfigError> {
    let name = lswt.reward_pooler.as_deref().unwrap_or(DEFAULT_POOLER);
    let pooling = match name {
        "identity" => PoolingKind::Identity,
        "bert" => PoolingKind::Bert,
        "t5" => PoolingKind::T5,
        "swiglu_bert" => PoolingKind::SwigluBert,
        "swiglu_t5" => PoolingKind::SwigluT5,
        other => {
            return Err(ConfigError::Unsupported {
                key: "reward_pooler",
                value: format!("{other:?}"),
                hint: Some("supported are identity, bert, t5, swiglu_bert, swiglu_t5".into()),
            });
        }
    };
    let of_files = || found.iter().filter_map(|name| name.strip_prefix(REWARDS)?.strip_suffix(".weight"));
    Ok(PreferenceHeadConfig {
        pooling,
        dropout: lswt.reward_dropout,
        rewards: match &lswt.reward_heads {
            Some(names) => names.clone(),
            None => of_files().map(String::from).collect(),
        },
        bias: found.iter().any(|name| name.starts_with(REWARDS) && name.ends_with(".bias")),
        ..PreferenceHeadConfig::new(lswt.d_model, lswt.d_ffn)
    })
}

/// The tensors of a head, each with our name for it.
fn tensors(config: &PreferenceHeadConfig) -> Vec<(String, FileTensor)> {
    let (d_model, d_ffn) = (config.d_model, config.d_ffn);
    let mut tensors = Vec::new();
    let mut linear = |ours: &str, theirs: &str, outputs: usize, inputs: usize, bias: bool| {
        let mut add = |part: &str, shape: Vec<usize>| {
            tensors.push((format!("{ours}.{part}"), FileTensor::new(format!("{theirs}.{part}"), shape)));
        };
        add("weight", vec![outputs, inputs]);
        if bias {
            add("bias", vec![outputs]);
        }
    };
    let step = |index: usize| format!("{POOLER}{index}");
    let first = usize::from(matches!(config.pooling, PoolingKind::T5 | PoolingKind::SwigluT5));
    match config.pooling {
        PoolingKind::Bert | PoolingKind::T5 => linear("pooling.dense", &step(first), d_model, d_model, true),
        PoolingKind::SwigluBert | PoolingKind::SwigluT5 => {
            linear("pooling.up_gate", &step(first), 2 * d_ffn, d_model, true);
            linear("pooling.down", &step(first + 2), d_model, d_ffn, true);
        }
        PoolingKind::Identity | PoolingKind::Projection(_) => {}
    }
    for reward in &config.rewards {
        let name = format!("{REWARDS}{reward}");
        linear(&name, &name, 1, d_model, config.bias);
    }
    tensors
}
