//! From files to the parameters of a decoder.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use burn::tensor::{Device, TensorData};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::Dtype;

use super::shards::Shards;
use super::{CONFIG_FILE, CheckpointError, Misfit};
use crate::decoder::{Decoder, DecoderConfig, Part, Slot};
use crate::family::{ConfigError, Family, FileTensor, Naming};

/// Similarity from which a name is suggested for another.
const SIMILAR: f64 = 0.7;
/// Half-precision numbers converted at a time.
const HALVES: usize = 4096;

/// What a model directory holds.
pub(crate) struct Loaded {
    /// The text of its configuration.
    pub json: String,
    /// The family in it.
    pub family: Family,
    /// The decoder's configuration.
    pub config: DecoderConfig,
    /// How its tensors are named.
    pub naming: Naming,
    /// The decoder, in f32.
    pub decoder: Decoder,
}

/// The shape of the models that are wanted, or why a family has none: [`Family::causal_decoder`], [`Family::encoder`].
pub(crate) type Shape = fn(&Family) -> Result<DecoderConfig, ConfigError>;

/// Loads a model directory.
pub(crate) fn load(dir: &Path, device: &Device, shape: Shape) -> Result<Loaded, CheckpointError> {
    let (json, family, config) = load_config(dir, shape)?;
    let shards = Shards::open(dir)?;
    let naming = family.naming(&shards.names().collect::<Vec<_>>(), &config);
    let config = without_missing_pooler(config, &family, naming, &shards);
    let misfit = compare(&family, naming, &config, &shards);
    if !misfit.is_empty() {
        return Err(CheckpointError::Misfit { path: dir.into(), misfit });
    }
    let mut parameters: HashMap<Slot, Vec<f32>> = config
        .slots()
        .into_par_iter()
        .map(|slot| (slot, read(&family.named_tensors(slot, &config, naming), &shards)))
        .collect();
    let decoder = Decoder::assemble(&config, device, |slot, shape| {
        let values = parameters.remove(&slot).unwrap_or_default();
        Ok::<_, CheckpointError>(TensorData::new(values, shape.to_vec()))
    })?;
    Ok(Loaded { json, family, config, naming, decoder })
}

pub(super) fn load_config(
    dir: &Path,
    shape: Shape,
) -> Result<(String, Family, DecoderConfig), CheckpointError> {
    if !dir.is_dir() {
        return Err(CheckpointError::NotADirectory { path: dir.into() });
    }
    let path = dir.join(CONFIG_FILE);
    let json = std::fs::read_to_string(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => CheckpointError::NotFound {
            path: path.clone(),
            remedy: "every model directory has one; is this the right directory?".into(),
        },
        _ => CheckpointError::Io { path: path.clone(), source },
    })?;
    let wrong = |source| CheckpointError::Config { path: path.clone(), source };
    let family = Family::parse(&json).map_err(wrong)?;
    let config = shape(&family).map_err(wrong)?;
    Ok((json, family, config))
}

/// The same model without a pooler, if none is stored: configurations do not say whether there is one.
fn without_missing_pooler(
    config: DecoderConfig,
    family: &Family,
    naming: Naming,
    shards: &Shards,
) -> DecoderConfig {
    let is_stored = [Part::Weight, Part::Bias].into_iter().any(|part| {
        let tensors = family.named_tensors(Slot::Pooler(part), &config, naming);
        tensors.iter().any(|tensor| shards.get(&tensor.name).is_some())
    });
    DecoderConfig { pooler: config.pooler.filter(|pooler| is_stored || pooler.labels > 0), ..config }
}

/// All differences between what a model needs and what its files hold.
fn compare(family: &Family, naming: Naming, config: &DecoderConfig, shards: &Shards) -> Misfit {
    let needed: Vec<FileTensor> =
        config.slots().into_iter().flat_map(|slot| family.named_tensors(slot, config, naming)).collect();
    let names: HashSet<&str> = needed.iter().map(|tensor| tensor.name.as_str()).collect();
    let superfluous: Vec<&str> = shards
        .names()
        .filter(|name| !names.contains(name) && !family.is_harmless(name))
        .filter(|name| !is_second_embedding(name, family, naming, config, shards))
        .collect();
    misfit(&needed, superfluous, shards)
}

/// The difference between needed tensors and those that there are; `superfluous` are not needed.
pub(super) fn misfit(needed: &[FileTensor], superfluous: Vec<&str>, shards: &Shards) -> Misfit {
    let mut misfit = Misfit::default();
    for tensor in needed {
        match shards.get(&tensor.name) {
            None => {
                misfit
                    .missing
                    .push((tensor.name.clone(), nearest(&tensor.name, &superfluous).map(str::to_string)));
            }
            Some((info, _)) if info.shape != tensor.shape => {
                misfit.misshapen.push((tensor.name.clone(), tensor.shape.clone(), info.shape.clone()));
            }
            Some((info, _)) if !matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) => {
                misfit.unreadable.push((tensor.name.clone(), format!("{:?}", info.dtype)));
            }
            Some(_) => {}
        }
    }
    misfit.superfluous = superfluous.into_iter().map(str::to_string).collect();
    misfit
}

/// Whether a tensor is the output matrix of a tied model, stored once more. One that differs is no copy, and then the
/// model is not tied.
fn is_second_embedding(
    name: &str,
    family: &Family,
    naming: Naming,
    config: &DecoderConfig,
    shards: &Shards,
) -> bool {
    config.tied_head
        && family.tied_head_name() == Some(name)
        && family
            .named_tensors(Slot::Embedding, config, naming)
            .first()
            .and_then(|embedding| shards.get(&embedding.name).zip(shards.get(name)))
            .is_some_and(|((first, a), (second, b))| {
                first.dtype == second.dtype && first.shape == second.shape && a == b
            })
}

fn nearest<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    candidates
        .iter()
        .map(|candidate| (strsim::jaro(name, candidate), *candidate))
        .filter(|(similarity, _)| *similarity > SIMILAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// The values of tensors one after another, as f32 and in our order.
pub(super) fn read(tensors: &[FileTensor], shards: &Shards) -> Vec<f32> {
    let parts: Vec<_> =
        tensors.iter().filter_map(|tensor| Some((tensor, shards.get(&tensor.name)?))).collect();
    let total = parts.iter().map(|(_, (info, _))| info.shape.iter().product::<usize>()).sum();
    let mut values = vec![0.0; total];
    let mut rest = &mut values[..];
    for (tensor, (info, bytes)) in parts {
        let (part, behind) = rest.split_at_mut(info.shape.iter().product());
        match info.dtype {
            Dtype::F16 => widen(bytes, part, f16::from_le_bytes),
            Dtype::BF16 => widen(bytes, part, bf16::from_le_bytes),
            _ => {
                for (value, bytes) in part.iter_mut().zip(bytes.as_chunks().0) {
                    *value = f32::from_le_bytes(*bytes);
                }
            }
        }
        tensor.to_ours(part);
        rest = behind;
    }
    values
}

fn widen<H: Copy + Default>(bytes: &[u8], values: &mut [f32], read: fn([u8; 2]) -> H)
where
    [H]: HalfFloatSliceExt,
{
    let mut halves = [H::default(); HALVES];
    for (values, bytes) in values.chunks_mut(HALVES).zip(bytes.chunks(2 * HALVES)) {
        for (half, bytes) in halves.iter_mut().zip(bytes.as_chunks().0) {
            *half = read(*bytes);
        }
        halves[..values.len()].convert_to_f32_slice(values);
    }
}
