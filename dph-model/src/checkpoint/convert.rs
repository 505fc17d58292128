//! Conversion of any format to a directory in the layout of Hugging Face.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::View;
use serde_json::json;

use super::load::{Stored, check, describe, is_finite, is_second_embedding, stored};
use super::open_tensors::open_tensors;
use super::reward_layer::{VALUE_HEAD_FILES, is_of_reward_layer};
use super::save::{with_type, write_tensors, write_text};
use super::score_layer::{PadToken, ScoreLayer};
use super::tensors::Tensors;
use crate::decoder::ParamKey;
use crate::family::Family;

use super::{
    COMPANION_FILES, CONFIG_FILE, CheckpointError, ElementType, INDEX_FILE, ModelFiles, Precision,
    WEIGHTS_FILE,
};

/// The files of a preference head.
const HEAD_FILES: [&str; 4] =
    [dph_core::HEAD_CONFIG_FILE, dph_core::HEAD_WEIGHTS_FILE, VALUE_HEAD_FILES[0].0, VALUE_HEAD_FILES[1].0];

/// The tensor of a reward layer.
const SCORE: &str = "score.weight";

/// A tensor that the classes of transformers leave out.
const SCORE_BIAS: &str = "score.bias";

/// Options of [`convert`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConvertOptions {
    /// The type of all weights. `None`: as in the files; the blocks of a GGUF file become f16.
    pub precision: Option<Precision>,
    /// Most bytes of weights per file. `None`: one file.
    pub shard_bytes: Option<u64>,
    /// Accept weights that are NaN or infinite. Otherwise they are an error.
    pub allow_non_finite: bool,
}

/// Writes the model at `path` into the directory `out`, which is created if necessary: `config.json`, safetensors,
/// and its tokenizer and preference head, if there are any. Returns the names of the weight files.
///
/// A second copy of a tied output matrix and tensors that are not weights are not written. At most one tensor is in
/// memory. Each file is written atomically, the weights first.
///
/// # Errors
///
/// If the model is damaged or not supported, a weight is not finite or too large for its new type, or a file cannot
/// be written.
pub fn convert(path: &Path, out: &Path, options: &ConvertOptions) -> Result<Vec<String>, CheckpointError> {
    convert_files(&ModelFiles::open(path)?, out, options)
}

/// As [`convert`], from files that are already open.
///
/// # Errors
///
/// As for [`convert`].
pub fn convert_files(
    files: &ModelFiles,
    out: &Path,
    options: &ConvertOptions,
) -> Result<Vec<String>, CheckpointError> {
    write(files, None, out, options)
}

/// As [`convert_files`], with a preference head as the layer `score` of a class `*ForSequenceClassification` of transformers. The model
/// loses its output matrix and other heads.
///
/// # Errors
///
/// As for [`convert`], and if transformers has no such class for the model.
pub fn convert_with_score(
    files: &ModelFiles,
    score: &ScoreLayer,
    out: &Path,
    options: &ConvertOptions,
) -> Result<Vec<String>, CheckpointError> {
    write(files, Some(score), out, options)
}

fn write(
    files: &ModelFiles,
    score: Option<&ScoreLayer>,
    out: &Path,
    options: &ConvertOptions,
) -> Result<Vec<String>, CheckpointError> {
    let (mut json, family, config) = describe(files, Family::decoder)?;
    let mut tensors = open_tensors(files)?;
    let Stored { naming, config, .. } = stored(&json, &family, config, &tensors);
    check(&family, naming, &config, &tensors)?;
    let pad = score.and_then(|_| PadToken::find(files, &json));
    if let Some(score) = score {
        json = score.config(&family, &json, pad.as_ref())?;
        let output = family.named_tensors(ParamKey::Head, &config, naming);
        tensors.retain(|name| !is_of_reward_layer(name) && output.iter().all(|tensor| tensor.name != name));
        let (shape, values) = score.weight();
        tensors.insert(SCORE, shape, &values);
    } else if config.causal {
        // transformers has no such parameter, see `reward_head`.
        tensors.retain(|name| name != SCORE_BIAS);
    }
    let failed = RefCell::new(None);
    let mut converted = Vec::new();
    for (name, info) in tensors.iter().filter(|(_, info)| info.element.is_readable()) {
        if !is_second_embedding(name, &family, naming, &config, &tensors)? {
            let to = options.precision.unwrap_or(Precision::nearest(&info.element));
            let allow = options.allow_non_finite;
            converted.push(Converted {
                tensors: &tensors,
                name,
                shape: &info.shape,
                to,
                allow,
                failed: &failed,
            });
        }
    }
    // A tokenizer that cannot be written is an error before the weights are.
    let companions = companions(files, score, pad.as_ref())?;
    std::fs::create_dir_all(out).map_err(|source| CheckpointError::Io { path: out.into(), source })?;
    let total: u64 = converted.iter().map(|tensor| tensor.data_len() as u64).sum();
    let dominant = Precision::dominant(converted.iter().map(|tensor| (tensor.to, tensor.data_len())));
    let shards = shards(converted, options.shard_bytes.unwrap_or(u64::MAX));
    let count = shards.len();
    let mut names = Vec::new();
    let mut map = BTreeMap::new();
    for (index, shard) in shards.into_iter().enumerate() {
        let file = match count {
            1 => WEIGHTS_FILE.to_string(),
            _ => format!("model-{:05}-of-{count:05}.safetensors", index + 1),
        };
        map.extend(shard.iter().map(|tensor| (tensor.name.to_string(), file.clone())));
        let views = shard.into_iter().map(|tensor| (tensor.name.to_string(), tensor)).collect();
        let whole = || match &*failed.borrow() {
            None => Ok(()),
            Some(error) => Err(io::Error::other(error.to_string())),
        };
        let written = write_tensors(&out.join(&file), views, whole);
        if let Some(error) = failed.take() {
            return Err(error);
        }
        written?;
        names.push(file);
    }
    if count > 1 {
        let index = json!({ "metadata": { "total_size": total }, "weight_map": map });
        write_text(&out.join(INDEX_FILE), &format!("{index:#}\n"))?;
    }
    for (name, bytes) in companions {
        let path = out.join(name);
        dph_core::write_atomically(&path, &bytes)
            .map_err(|error| CheckpointError::Write { path, problem: error.to_string() })?;
    }
    write_text(&out.join(CONFIG_FILE), &with_type(&json, dominant.torch_name()))?;
    Ok(names)
}

/// The files beside the weights that are there, by their names.
fn companions(
    files: &ModelFiles,
    score: Option<&ScoreLayer>,
    pad: Option<&PadToken>,
) -> Result<Vec<(&'static str, Vec<u8>)>, CheckpointError> {
    let of_head = HEAD_FILES.into_iter().filter(|_| score.is_none());
    let mut companions = Vec::new();
    for name in COMPANION_FILES.into_iter().chain(of_head) {
        match files.read(name) {
            Ok(bytes) => companions.push((
                name,
                match score {
                    Some(score) => score.companion(name, bytes, pad),
                    None => bytes,
                },
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(CheckpointError::Io { path: files.file_path(name), source }),
        }
    }
    Ok(companions)
}

/// Splits tensors into files of at most `most` bytes, in this order. A larger tensor gets its own file.
fn shards(tensors: Vec<Converted<'_>>, most: u64) -> Vec<Vec<Converted<'_>>> {
    let (mut shards, mut size) = (vec![Vec::new()], 0);
    for tensor in tensors {
        let len = tensor.data_len() as u64;
        if size > 0 && size + len > most {
            shards.push(Vec::new());
            size = 0;
        }
        size += len;
        if let Some(shard) = shards.last_mut() {
            shard.push(tensor);
        }
    }
    shards
}

/// A tensor that is read and converted when it is written.
struct Converted<'a> {
    tensors: &'a Tensors,
    name: &'a str,
    shape: &'a [usize],
    to: Precision,
    allow: bool,
    /// The first error. The interface of the writer cannot return it.
    failed: &'a RefCell<Option<CheckpointError>>,
}

impl Converted<'_> {
    fn convert(&self) -> Result<Vec<u8>, CheckpointError> {
        let mut values = vec![0.0; self.shape.iter().product()];
        self.tensors.read(self.name, &mut values)?;
        let finite = is_finite(&values);
        if !finite && !self.allow {
            return Err(self.tensors.not_finite(self.name));
        }
        if self.to == Precision::F16
            && finite
            && values.iter().any(|value| f16::from_f32(*value).is_infinite())
        {
            let (path, tensor) = (self.tensors.path().to_owned(), self.name.to_string());
            return Err(CheckpointError::TooLarge { path, tensor });
        }
        Ok(match self.to {
            Precision::F32 => values.into_iter().flat_map(f32::to_le_bytes).collect(),
            Precision::F16 => {
                values.into_iter().flat_map(|value| f16::from_f32(value).to_le_bytes()).collect()
            }
            Precision::Bf16 => {
                values.into_iter().flat_map(|value| bf16::from_f32(value).to_le_bytes()).collect()
            }
        })
    }
}

impl View for Converted<'_> {
    fn dtype(&self) -> Dtype {
        match self.to {
            Precision::F32 => Dtype::F32,
            Precision::F16 => Dtype::F16,
            Precision::Bf16 => Dtype::BF16,
        }
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        if self.failed.borrow().is_some() {
            return Cow::Borrowed(&[]);
        }
        match self.convert() {
            Ok(bytes) => Cow::Owned(bytes),
            Err(error) => {
                *self.failed.borrow_mut() = Some(error);
                Cow::Borrowed(&[])
            }
        }
    }

    fn data_len(&self) -> usize {
        self.to.bytes() * self.shape.iter().product::<usize>()
    }
}

impl Precision {
    /// The default type of a tensor.
    fn nearest(element: &ElementType) -> Self {
        match element {
            ElementType::F64 | ElementType::F32 => Self::F32,
            ElementType::Bf16 => Self::Bf16,
            _ => Self::F16,
        }
    }

    /// The type with the most bytes.
    fn dominant(tensors: impl Iterator<Item = (Self, usize)>) -> Self {
        let mut bytes = [(Self::F32, 0), (Self::F16, 0), (Self::Bf16, 0)];
        for (precision, len) in tensors {
            for (_, sum) in bytes.iter_mut().filter(|(other, _)| *other == precision) {
                *sum += len;
            }
        }
        bytes.into_iter().max_by_key(|(_, sum)| *sum).map_or(Self::F32, |(precision, _)| precision)
    }
}
