//! Loads the parameters of a decoder from files.

use std::collections::HashSet;

use burn::tensor::{Device, TensorData};
use half::f16;
use rayon::prelude::*;

use super::misfit::Misfit;
use super::open_tensors::{open_tensors, tensors_if_there};
use super::origin::Origin;
use super::reward_layer::is_of_reward_layer;
use super::tensors::Tensors;
use super::{CheckpointError, ModelFiles, Precision};
use crate::decoder::{Decoder, DecoderConfig, ParamKey, Part};
use crate::family::{ConfigError, Family, FileTensor, Naming, has_output, names_class};

/// Numbers checked by one thread at a time.
const PART: usize = 1 << 16;

/// Options for loading a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadOptions {
    /// Accept weights that are NaN or infinite. Otherwise they are an error.
    pub allow_non_finite: bool,
    /// The type of the model's matrices and of products with them. Half precision needs half the memory. Norms,
    /// attention, the residual stream, log-probabilities and hidden states are always f32.
    ///
    /// Half precision is meant for devices that support it in hardware; flex and other CPU backends are slower with
    /// it. Values beyond 65504 become infinite in f16. Trained weights must be f32, as most updates are lost in half
    /// precision; adapters (LoRA) are f32 and can be trained.
    pub precision: Precision,
}

/// The kind of models that are accepted: [`Family::causal_decoder`] or [`Family::encoder`].
pub(crate) type Shape = fn(&Family) -> Result<DecoderConfig, ConfigError>;

/// Loads a model and its origin. Parameters are loaded one after another, so that at most one of them is in memory
/// twice.
pub(crate) fn load(
    files: &ModelFiles,
    device: &Device,
    shape: Shape,
    options: LoadOptions,
) -> Result<(Decoder, Origin), CheckpointError> {
    if !device.supports_dtype(options.precision.dtype()) {
        return Err(CheckpointError::Precision { precision: options.precision.torch_name() });
    }
    let (json, family, config) = describe(files, shape)?;
    let tensors = open_tensors(files)?;
    let Stored { naming, config, has_output } = stored(&json, &family, config, &tensors);
    check(&family, naming, &config, &tensors)?;
    let decoder = Decoder::assemble(&config, device, options.precision.dtype(), |key, shape| {
        let values = read(&family.named_tensors(key, &config, naming), &tensors, options)?;
        Ok::<_, CheckpointError>(TensorData::new(values, shape.to_vec()))
    })?;
    Ok((decoder, Origin { json, family, config, naming, has_output }))
}

/// What the files of a language model say of it.
#[derive(Debug, Clone)]
pub struct CausalOutline {
    /// The family.
    pub family: Family,
    /// The configuration of the decoder.
    pub config: DecoderConfig,
    /// Whether it has an output matrix. Reward models have none.
    pub has_output: bool,
}

impl ModelFiles {
    /// The configuration of a causal language model, if its weights match it by their names, shapes and types, or there are none yet. No
    /// weight is read, except to compare a second output matrix with the embedding.
    ///
    /// # Errors
    ///
    /// If the configuration is not supported, a file is damaged, or tensors do not match the configuration.
    pub fn causal_outline(&self) -> Result<CausalOutline, CheckpointError> {
        self.outline_as(Family::causal_decoder)
    }

    /// As [`causal_outline`](Self::causal_outline), also of an encoder.
    ///
    /// # Errors
    ///
    /// As for [`causal_outline`](Self::causal_outline).
    pub fn outline(&self) -> Result<CausalOutline, CheckpointError> {
        self.outline_as(Family::decoder)
    }

    /// The configuration of a causal language model. No tensor is looked at.
    ///
    /// # Errors
    ///
    /// If the configuration is not supported, or that of an encoder.
    pub fn causal_config(&self) -> Result<DecoderConfig, CheckpointError> {
        Ok(describe(self, Family::causal_decoder)?.2)
    }

    fn outline_as(&self, shape: Shape) -> Result<CausalOutline, CheckpointError> {
        let (json, family, config) = describe(self, shape)?;
        let has_output = match tensors_if_there(self)? {
            None => has_output(&json, &config),
            Some(tensors) => {
                let stored = stored(&json, &family, config.clone(), &tensors);
                check(&family, stored.naming, &stored.config, &tensors)?;
                stored.has_output
            }
        };
        Ok(CausalOutline { family, config, has_output })
    }
}

/// What the files hold, which configurations do not mention.
pub(super) struct Stored {
    /// The naming of the tensors.
    pub naming: Naming,
    /// The configuration, without a pooler if none is stored.
    pub config: DecoderConfig,
    /// Whether there is an output matrix. A model of a class without one gets its embedding.
    pub has_output: bool,
}

pub(super) fn stored(json: &str, family: &Family, config: DecoderConfig, tensors: &Tensors) -> Stored {
    let naming = family.naming(&tensors.iter().map(|(name, _)| name).collect::<Vec<_>>(), &config);
    let is_stored = |key: ParamKey| {
        let named = family.named_tensors(key, &config, naming);
        named.iter().any(|tensor| tensors.info(&tensor.name).is_some())
    };
    let has_pooler = [Part::Weight, Part::Bias].into_iter().any(|part| is_stored(ParamKey::Pooler(part)));
    let pooler = config.pooler.filter(|pooler| has_pooler || pooler.labels > 0);
    // A class that is not named shows in the tensors.
    let is_reward_model =
        !names_class(json) && !config.tied_head && tensors.iter().any(|(name, _)| is_of_reward_layer(name));
    let has_output = has_output(json, &config) && !is_reward_model || is_stored(ParamKey::Head);
    let tied_head = config.tied_head || !has_output;
    Stored { naming, config: DecoderConfig { pooler, tied_head, ..config }, has_output }
}

/// The configuration of a model: its text, the family and the decoder.
pub(super) fn describe(
    files: &ModelFiles,
    shape: Shape,
) -> Result<(String, Family, DecoderConfig), CheckpointError> {
    let json = files.config_json()?;
    let wrong = |source| CheckpointError::Config { path: files.config_path(), source };
    let family = Family::parse(&json).map_err(wrong)?;
    let config = shape(&family).map_err(wrong)?;
    Ok((json, family, config))
}

/// Fails if the files do not hold exactly the tensors of the model.
pub(super) fn check(
    family: &Family,
    naming: Naming,
    config: &DecoderConfig,
    tensors: &Tensors,
) -> Result<(), CheckpointError> {
    let needed: Vec<FileTensor> =
        config.param_keys().into_iter().flat_map(|key| family.named_tensors(key, config, naming)).collect();
    let names: HashSet<&str> = needed.iter().map(|tensor| tensor.name.as_str()).collect();
    let mut superfluous = Vec::new();
    let is_known = |name: &str| names.contains(name) || family.is_harmless(name) || is_of_reward_layer(name);
    for (name, _) in tensors.iter().filter(|(name, _)| !is_known(name)) {
        if !is_second_embedding(name, family, naming, config, tensors)? {
            superfluous.push(name);
        }
    }
    fit(&needed, superfluous, tensors)
}

/// Fails if needed tensors are missing or do not match; `superfluous` are the unexpected ones.
pub(super) fn fit(
    needed: &[FileTensor],
    superfluous: Vec<&str>,
    tensors: &Tensors,
) -> Result<(), CheckpointError> {
    let misfit = Misfit::find(needed, superfluous, tensors);
    match misfit.is_empty() {
        true => Ok(()),
        false => Err(CheckpointError::Misfit { path: tensors.path().into(), misfit: misfit.into() }),
    }
}

/// Whether a tensor is a second copy of the output matrix of a tied model. If it differs, it is not a copy and the
/// model is not tied.
pub(super) fn is_second_embedding(
    name: &str,
    family: &Family,
    naming: Naming,
    config: &DecoderConfig,
    tensors: &Tensors,
) -> Result<bool, CheckpointError> {
    if !config.tied_head || family.tied_head_name() != Some(name) {
        return Ok(false);
    }
    let embedding = family.named_tensors(ParamKey::Embedding, config, naming);
    let Some(FileTensor { name: first, .. }) = embedding.first() else { return Ok(false) };
    let is_adapted = tensors.is_adapted(first) || tensors.is_adapted(name);
    Ok(!is_adapted
        && tensors.info(first).is_some()
        && tensors.info(first) == tensors.info(name)
        && tensors.bytes(first)? == tensors.bytes(name)?)
}

/// The values of tensors one after another, as f32 and in our order.
pub(super) fn read(
    parts: &[FileTensor],
    tensors: &Tensors,
    options: LoadOptions,
) -> Result<Vec<f32>, CheckpointError> {
    let len = |tensor: &FileTensor| tensor.shape.iter().product::<usize>();
    let mut values = vec![0.0; parts.iter().map(len).sum()];
    let mut rest = &mut values[..];
    for tensor in parts {
        let (part, behind) = rest.split_at_mut(len(tensor));
        tensors.read(&tensor.name, part)?;
        if !options.allow_non_finite && !is_finite(part) {
            return Err(tensors.not_finite(&tensor.name));
        }
        let is_f16 = options.precision == Precision::F16 && !options.allow_non_finite;
        if is_f16 && !is_within(part, f16::MAX.to_f32()) {
            let (path, tensor) = (tensors.path().to_owned(), tensor.name.clone());
            return Err(CheckpointError::TooLarge { path, tensor });
        }
        tensor.to_ours(part);
        rest = behind;
    }
    Ok(values)
}

/// Whether all values are numbers.
pub(super) fn is_finite(values: &[f32]) -> bool {
    is_within(values, f32::MAX)
}

/// Whether no value is NaN or has a larger absolute value than `most`.
fn is_within(values: &[f32], most: f32) -> bool {
    // Without an early exit, which would be slower.
    let part = |values: &[f32]| values.iter().fold(true, |within, value| within & (value.abs() <= most));
    values.par_chunks(PART).all(part)
}
