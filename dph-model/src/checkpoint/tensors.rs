//! [`Tensors`]: the weights of a model, whatever files they come in.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::gguf::{Gguf, RowOrder};
use super::pytorch::Pickled;
use super::safetensors::Shard;
use super::weight_files::{Format, weight_files};
use super::{CheckpointError, ElementType, ModelFiles};

/// What a tensor looks like in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its shape, outermost axis first.
    pub shape: Vec<usize>,
    /// How its numbers are kept.
    pub element: ElementType,
}

/// The tensors of a model by their Hugging Face names. Opening reads tables alone; numbers are read when asked for.
#[derive(Debug)]
pub(crate) struct Tensors {
    path: PathBuf,
    files: Vec<WeightFile>,
    tensors: BTreeMap<String, Place>,
}

#[derive(Debug)]
enum WeightFile {
    Safetensors(Shard),
    Pytorch(Pickled),
    Gguf(Arc<Gguf>),
}

#[derive(Debug)]
struct Place {
    info: TensorInfo,
    file: usize,
    /// In a GGUF file: what it is called there, and how its rows lie.
    raw: Option<(String, RowOrder)>,
}

impl Tensors {
    /// Opens the weights of a model.
    pub fn open(model: &ModelFiles) -> Result<Self, CheckpointError> {
        let mut tensors = Self { path: model.path().to_owned(), files: Vec::new(), tensors: BTreeMap::new() };
        if let Some(gguf) = model.gguf() {
            for renamed in gguf.renamed() {
                let raw = Some((renamed.raw, renamed.rows));
                tensors.add(renamed.name, Place { info: renamed.info, file: 0, raw })?;
            }
            tensors.files.push(WeightFile::Gguf(Arc::clone(gguf)));
            return Ok(tensors);
        }
        let (format, paths) = weight_files(model.path())?;
        for (file, path) in paths.iter().enumerate() {
            let (opened, infos): (_, Vec<_>) = match format {
                Format::Safetensors => {
                    let shard = Shard::open(path)?;
                    let infos = shard.tensors().collect();
                    (WeightFile::Safetensors(shard), infos)
                }
                Format::Pytorch => {
                    let pickled = Pickled::open(path)?;
                    let infos = pickled.tensors().collect();
                    (WeightFile::Pytorch(pickled), infos)
                }
            };
            tensors.files.push(opened);
            for (name, info) in infos {
                tensors.add(name, Place { info, file, raw: None })?;
            }
        }
        Ok(tensors)
    }

    fn add(&mut self, name: String, place: Place) -> Result<(), CheckpointError> {
        match self.tensors.insert(name.clone(), place) {
            None => Ok(()),
            Some(_) => {
                let problem = format!("the tensor {name} is in several files");
                Err(CheckpointError::Index { path: self.path.clone(), problem })
            }
        }
    }

    /// All names with what stands behind them, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TensorInfo)> {
        self.tensors.iter().map(|(name, place)| (name.as_str(), &place.info))
    }

    /// Type and shape of a tensor.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        Some(&self.tensors.get(name)?.info)
    }

    /// The bytes of a tensor, as its type has them; none for one that is not there.
    pub fn bytes(&self, name: &str) -> Result<Cow<'_, [u8]>, CheckpointError> {
        let Some(place) = self.tensors.get(name) else { return Ok(Cow::Borrowed(&[])) };
        match &self.files[place.file] {
            WeightFile::Safetensors(shard) => Ok(Cow::Borrowed(shard.bytes(name).unwrap_or_default())),
            WeightFile::Pytorch(pickled) => match pickled.bytes(name) {
                Some(Ok(bytes)) => Ok(Cow::Owned(bytes)),
                Some(Err(source)) => Err(CheckpointError::Io { path: self.path.clone(), source }),
                None => Ok(Cow::Borrowed(&[])),
            },
            WeightFile::Gguf(gguf) => match &place.raw {
                Some((raw, rows)) => gguf.bytes(raw, *rows),
                None => Ok(Cow::Borrowed(&[])),
            },
        }
    }

    /// Fills `values` with a tensor, as f32.
    ///
    /// Its pages in a mapped file are let go of: what has been read is not read again soon.
    pub fn read(&self, name: &str, values: &mut [f32]) -> Result<(), CheckpointError> {
        let Some(place) = self.tensors.get(name) else { return Ok(()) };
        let bytes = self.bytes(name)?;
        place.info.element.widen(&bytes, values);
        if let Cow::Borrowed(bytes) = bytes {
            self.release(place, bytes);
        }
        Ok(())
    }

    fn release(&self, place: &Place, bytes: &[u8]) {
        match &self.files[place.file] {
            WeightFile::Safetensors(shard) => shard.map().release(bytes),
            WeightFile::Gguf(gguf) => gguf.map().release(bytes),
            WeightFile::Pytorch(_) => {}
        }
    }

    /// Where the model is.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }
}
