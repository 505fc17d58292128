//! From files to the parameters of a decoder.

use std::collections::HashSet;
use std::path::Path;

use burn::tensor::{Device, TensorData};
use dph_core::suggestion::nearest;
use half::f16;
use rayon::prelude::*;

use super::origin::Origin;
use super::tensors::Tensors;
use super::{CONFIG_FILE, CheckpointError, Misfit, ModelFiles, Precision};
use crate::decoder::{Decoder, DecoderConfig, Part, Slot};
use crate::family::{ConfigError, Family, FileTensor, Naming};

/// Numbers checked by one thread at a time.
const PART: usize = 1 << 16;

/// Choices about what is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadOptions {
    /// Take weights that are NaN or infinite, which are an error otherwise.
    pub allow_non_finite: bool,
    /// In which type the matrices of the model are kept, and products with them computed: half precision needs half the
    /// memory. Everything else is f32: norms, attention, the residual stream, log-probabilities, and hidden states.
    ///
    /// It is meant for a device that multiplies in half precision; flex and processors are slower with it. What is beyond
    /// 65504 becomes infinite in f16. A model whose weights learn has to be f32, as most of their steps are lost in half
    /// precision; adapters (LoRA) beside them are f32 and may learn.
    pub precision: Precision,
}

/// The shape of the models that are wanted, or why a family has none: [`Family::causal_decoder`], [`Family::encoder`].
pub(crate) type Shape = fn(&Family) -> Result<DecoderConfig, ConfigError>;

/// Loads a model and where it comes from: one parameter after the other, so that there is never a second copy of more than one of them.
pub(crate) fn load(
    path: &Path,
    device: &Device,
    shape: Shape,
    options: LoadOptions,
) -> Result<(Decoder, Origin), CheckpointError> {
    if !device.supports_dtype(options.precision.dtype()) {
        return Err(CheckpointError::Precision { precision: options.precision.torch_name() });
    }
    let files = ModelFiles::open(path)?;
    let (json, family, config) = describe(&files, shape)?;
    let tensors = Tensors::open(&files)?;
    let (naming, config) = named(&family, config, &tensors);
    check(&family, naming, &config, &tensors)?;
    let decoder = Decoder::assemble(&config, device, options.precision.dtype(), |slot, shape| {
        let values = read(&family.named_tensors(slot, &config, naming), &tensors, options)?;
        Ok::<_, CheckpointError>(TensorData::new(values, shape.to_vec()))
    })?;
    Ok((decoder, Origin { json, family, config, naming }))
}

/// How the tensors of a model are named, and its shape: without a pooler if none is stored, as configurations do not say
/// whether there is one.
pub(super) fn named(family: &Family, config: DecoderConfig, tensors: &Tensors) -> (Naming, DecoderConfig) {
    let naming = family.naming(&tensors.iter().map(|(name, _)| name).collect::<Vec<_>>(), &config);
    let is_stored = [Part::Weight, Part::Bias].into_iter().any(|part| {
        let of_pooler = family.named_tensors(Slot::Pooler(part), &config, naming);
        of_pooler.iter().any(|tensor| tensors.info(&tensor.name).is_some())
    });
    let pooler = config.pooler.filter(|pooler| is_stored || pooler.labels > 0);
    (naming, DecoderConfig { pooler, ..config })
}

/// The configuration of a model: its text, and what it says.
pub(super) fn describe(
    files: &ModelFiles,
    shape: Shape,
) -> Result<(String, Family, DecoderConfig), CheckpointError> {
    let json = files.config_json()?;
    let wrong = |source| CheckpointError::Config { path: files.path().join(CONFIG_FILE), source };
    let family = Family::parse(&json).map_err(wrong)?;
    let config = shape(&family).map_err(wrong)?;
    Ok((json, family, config))
}

/// Fails where the files do not hold what the model needs, and that alone.
pub(super) fn check(
    family: &Family,
    naming: Naming,
    config: &DecoderConfig,
    tensors: &Tensors,
) -> Result<(), CheckpointError> {
    let needed: Vec<FileTensor> =
        config.slots().into_iter().flat_map(|slot| family.named_tensors(slot, config, naming)).collect();
    let names: HashSet<&str> = needed.iter().map(|tensor| tensor.name.as_str()).collect();
    let mut superfluous = Vec::new();
    for (name, _) in tensors.iter().filter(|(name, _)| !names.contains(name) && !family.is_harmless(name)) {
        if !is_second_embedding(name, family, naming, config, tensors)? {
            superfluous.push(name);
        }
    }
    fit(&needed, superfluous, tensors)
}

/// Fails where needed tensors are not there as they are needed; `superfluous` are not needed.
pub(super) fn fit(
    needed: &[FileTensor],
    superfluous: Vec<&str>,
    tensors: &Tensors,
) -> Result<(), CheckpointError> {
    let mut misfit = Misfit::default();
    for tensor in needed {
        match tensors.info(&tensor.name) {
            None => {
                misfit.missing.push((
                    tensor.name.clone(),
                    nearest(&tensor.name, superfluous.iter().copied()).map(str::to_string),
                ));
            }
            Some(info) if info.shape != tensor.shape => {
                misfit.misshapen.push((tensor.name.clone(), tensor.shape.clone(), info.shape.clone()));
            }
            Some(info) if !info.element.is_readable() => {
                misfit.unreadable.push((tensor.name.clone(), info.element.to_string()));
            }
            Some(_) => {}
        }
    }
    misfit.superfluous = superfluous.into_iter().map(str::to_string).collect();
    match misfit.is_empty() {
        true => Ok(()),
        false => Err(CheckpointError::Misfit { path: tensors.path().into(), misfit }),
    }
}

/// Whether a tensor is the output matrix of a tied model, stored once more. One that differs is no copy, and then the
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
    let embedding = family.named_tensors(Slot::Embedding, config, naming);
    let Some(FileTensor { name: first, .. }) = embedding.first() else { return Ok(false) };
    Ok(tensors.info(first).is_some()
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
            let (path, tensor) = (tensors.path().to_owned(), tensor.name.clone());
            return Err(CheckpointError::NotFinite { path, tensor });
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

/// Whether no value is NaN or of a larger size than `most`.
fn is_within(values: &[f32], most: f32) -> bool {
    // Without an early exit, which would be slower.
    let part = |values: &[f32]| values.iter().fold(true, |within, value| within & (value.abs() <= most));
    values.par_chunks(PART).all(part)
}
