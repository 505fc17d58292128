//! [`Tensors`]: the weights of a model in any format.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::error::CheckpointError;
use super::files::ModelFiles;
use super::gguf::GgufTensors;
use super::pytorch::Pickled;
use super::safetensors::Shard;
use super::tensor_info::TensorInfo;
use super::weight_files::{Format, weight_files};

/// The tensors of a model by their Hugging Face names. Opening reads only the headers; weights are read on request.
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
    Gguf(GgufTensors),
}

#[derive(Debug)]
struct Place {
    info: TensorInfo,
    file: usize,
}

impl Tensors {
    /// Opens the weights of a model.
    pub fn open(model: &ModelFiles) -> Result<Self, CheckpointError> {
        let mut tensors = Self { path: model.path().to_owned(), files: Vec::new(), tensors: BTreeMap::new() };
        if let Some(gguf) = model.gguf() {
            let gguf = GgufTensors::new(Arc::clone(gguf));
            let infos = gguf.tensors().collect();
            tensors.add(WeightFile::Gguf(gguf), infos)?;
            return Ok(tensors);
        }
        let (format, paths) = weight_files(model.path())?;
        for path in &paths {
            match format {
                Format::Safetensors => {
                    let shard = Shard::open(path)?;
                    let infos = shard.tensors().collect();
                    tensors.add(WeightFile::Safetensors(shard), infos)?;
                }
                Format::Pytorch => {
                    let pickled = Pickled::open(path)?;
                    let infos = pickled.tensors().collect();
                    tensors.add(WeightFile::Pytorch(pickled), infos)?;
                }
            }
        }
        Ok(tensors)
    }

    fn add(&mut self, file: WeightFile, infos: Vec<(String, TensorInfo)>) -> Result<(), CheckpointError> {
        for (name, info) in infos {
            let place = Place { info, file: self.files.len() };
            if self.tensors.insert(name.clone(), place).is_some() {
                let problem = format!("the tensor {name} is in several files");
                return Err(CheckpointError::Index { path: self.path.clone(), problem });
            }
        }
        self.files.push(file);
        Ok(())
    }

    /// All tensors, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TensorInfo)> {
        self.tensors.iter().map(|(name, place)| (name.as_str(), &place.info))
    }

    /// Type and shape of a tensor.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        Some(&self.tensors.get(name)?.info)
    }

    /// The bytes of a tensor in its own type; empty if there is no such tensor.
    pub fn bytes(&self, name: &str) -> Result<Cow<'_, [u8]>, CheckpointError> {
        let Some(place) = self.tensors.get(name) else { return Ok(Cow::Borrowed(&[])) };
        match &self.files[place.file] {
            WeightFile::Safetensors(shard) => Ok(Cow::Borrowed(shard.bytes(name).unwrap_or_default())),
            WeightFile::Pytorch(pickled) => match pickled.bytes(name) {
                Some(Ok(bytes)) => Ok(Cow::Owned(bytes)),
                Some(Err(source)) => Err(CheckpointError::Io { path: self.path.clone(), source }),
                None => Ok(Cow::Borrowed(&[])),
            },
            WeightFile::Gguf(gguf) => gguf.bytes(name),
        }
    }

    /// Fills `values` with a tensor, as f32.
    ///
    /// Its pages in a mapped file are released, as they are not read again soon.
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
            // Only the map that holds these bytes releases them.
            WeightFile::Gguf(gguf) => gguf.maps().for_each(|map| map.release(bytes)),
            WeightFile::Pytorch(_) => {}
        }
    }

    /// The path of the model.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }
}

impl ModelFiles {
    /// Type and shape of every tensor in the weight files, by its Hugging Face name. No weight is read.
    ///
    /// # Errors
    ///
    /// If there are no weights, or a file is damaged.
    pub fn tensors(&self) -> Result<BTreeMap<String, TensorInfo>, CheckpointError> {
        let tensors = Tensors::open(self)?;
        Ok(tensors.iter().map(|(name, info)| (name.to_string(), info.clone())).collect())
    }
}
