//! [`Tensors`]: the weights of a model in any format.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::delta::Delta;
use super::element::ElementType;
use super::error::CheckpointError;
use super::gguf::{Gguf, GgufTensors};
use super::pytorch::Pickled;
use super::safetensors::Shard;
use super::tensor_info::TensorInfo;
use super::weight_files::Format;

/// The tensors of a model by their Hugging Face names. Opening reads only the headers; weights are read on request.
#[derive(Debug)]
pub(crate) struct Tensors {
    path: PathBuf,
    files: Vec<WeightFile>,
    tensors: BTreeMap<String, Place>,
    /// What adapters add to matrices.
    deltas: BTreeMap<String, Vec<Delta>>,
    /// The tensors of adapters by their own names.
    of_adapters: BTreeMap<String, Place>,
    /// The file of an adapter.
    adapter: Option<PathBuf>,
}

#[derive(Debug)]
enum WeightFile {
    Safetensors(Shard),
    Pytorch(Pickled),
    Gguf(GgufTensors),
    /// The values of one tensor of f32.
    Memory(Vec<u8>),
}

#[derive(Debug, Clone)]
struct Place {
    info: TensorInfo,
    file: usize,
    /// The name in the file.
    name: String,
}

impl Tensors {
    /// No tensors of the model at `path`.
    pub fn none(path: &Path) -> Self {
        Self {
            path: path.into(),
            files: Vec::new(),
            tensors: BTreeMap::new(),
            deltas: BTreeMap::new(),
            of_adapters: BTreeMap::new(),
            adapter: None,
        }
    }

    /// Opens a single file.
    pub fn open_file(path: &Path, format: Format) -> Result<Self, CheckpointError> {
        let mut tensors = Self::none(path);
        tensors.add_file(path, format)?;
        Ok(tensors)
    }

    /// Adds the tensors of a file.
    pub fn add_file(&mut self, path: &Path, format: Format) -> Result<(), CheckpointError> {
        match format {
            Format::Safetensors => {
                let shard = Shard::open(path)?;
                let infos = shard.tensors().collect();
                self.add(WeightFile::Safetensors(shard), infos)
            }
            Format::Pytorch => {
                let pickled = Pickled::open(path)?;
                let infos = pickled.tensors().collect();
                self.add(WeightFile::Pytorch(pickled), infos)
            }
        }
    }

    /// Adds the tensors of a GGUF file.
    pub fn add_gguf(&mut self, gguf: Arc<Gguf>) -> Result<(), CheckpointError> {
        let gguf = GgufTensors::new(gguf);
        let infos = gguf.tensors().collect();
        self.add(WeightFile::Gguf(gguf), infos)
    }

    /// Adds something to a matrix whenever it is read.
    pub fn adapt(&mut self, name: &str, delta: Delta) {
        self.deltas.entry(name.into()).or_default().push(delta);
    }

    /// Adds the tensors of an adapter, to which [`adapt`](Self::adapt) refers. Those of `whole`, given as pairs of their names there and
    /// here, are tensors of the model, and replace those of the same name.
    pub fn add_adapter(&mut self, adapter: Self, whole: &[(String, String)]) {
        let first = self.files.len();
        self.files.extend(adapter.files);
        self.adapter = Some(adapter.path);
        let places = adapter.tensors.into_iter();
        let places: BTreeMap<_, _> =
            places.map(|(name, place)| (name, Place { file: first + place.file, ..place })).collect();
        for (theirs, ours) in whole {
            if let Some(place) = places.get(theirs) {
                self.tensors.insert(ours.clone(), place.clone());
            }
        }
        self.of_adapters.extend(places);
    }

    /// Leaves the others out.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.tensors.retain(|name, _| keep(name));
        self.deltas.retain(|name, _| keep(name));
    }

    /// Adds a tensor of f32. One of the same name is replaced.
    pub fn insert(&mut self, name: &str, shape: Vec<usize>, values: &[f32]) {
        let info = TensorInfo { shape, element: ElementType::F32 };
        self.tensors.insert(name.into(), Place { info, file: self.files.len(), name: name.into() });
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.files.push(WeightFile::Memory(bytes.collect()));
    }

    fn add(&mut self, file: WeightFile, infos: Vec<(String, TensorInfo)>) -> Result<(), CheckpointError> {
        for (name, info) in infos {
            let place = Place { info, file: self.files.len(), name: name.clone() };
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

    /// The bytes of a tensor in its own type, without what adapters add; empty if there is no such tensor.
    pub fn bytes(&self, name: &str) -> Result<Cow<'_, [u8]>, CheckpointError> {
        self.tensors.get(name).map_or(Ok(Cow::Borrowed(&[])), |place| self.bytes_at(place))
    }

    fn bytes_at(&self, place: &Place) -> Result<Cow<'_, [u8]>, CheckpointError> {
        let name = &place.name;
        match &self.files[place.file] {
            WeightFile::Safetensors(shard) => Ok(Cow::Borrowed(shard.bytes(name).unwrap_or_default())),
            WeightFile::Pytorch(pickled) => match pickled.bytes(name) {
                Some(Ok(bytes)) => Ok(Cow::Owned(bytes)),
                Some(Err(source)) => Err(CheckpointError::Io { path: self.path.clone(), source }),
                None => Ok(Cow::Borrowed(&[])),
            },
            WeightFile::Gguf(gguf) => gguf.bytes(name),
            WeightFile::Memory(bytes) => Ok(Cow::Borrowed(bytes)),
        }
    }

    /// Fills `values` with a tensor, as f32.
    ///
    /// Its pages in a mapped file are released, as they are not read again soon.
    pub fn read(&self, name: &str, values: &mut [f32]) -> Result<(), CheckpointError> {
        let Some(place) = self.tensors.get(name) else { return Ok(()) };
        self.read_at(place, values)?;
        for delta in self.deltas.get(name).into_iter().flatten() {
            delta.add(&self.of_adapter(&delta.a)?, &self.of_adapter(&delta.b)?, values);
        }
        Ok(())
    }

    /// A matrix of an adapter.
    fn of_adapter(&self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        let Some(place) = self.of_adapters.get(name) else { return Ok(Vec::new()) };
        let mut values = vec![0.0; place.info.shape.iter().product()];
        self.read_at(place, &mut values).map(|()| values)
    }

    /// The error of a tensor with values that are not finite. It names the tensor that they are from: that of an adapter with its file, or
    /// that of the model.
    pub fn not_finite(&self, name: &str) -> CheckpointError {
        let is_bad = |matrix: &&String| {
            self.of_adapter(matrix).is_ok_and(|values| values.iter().any(|value| !value.is_finite()))
        };
        let mut matrices = self.deltas.get(name).into_iter().flatten().flat_map(|delta| [&delta.a, &delta.b]);
        let own = self.tensors.get(name).filter(|place| {
            self.of_adapters.values().any(|own| own.file == place.file && own.name == place.name)
        });
        let of_adapter = matrices.find(is_bad).or_else(|| Some(&own?.name));
        let (path, tensor) = match (&self.adapter, of_adapter) {
            (Some(adapter), Some(tensor)) => (adapter, tensor.clone()),
            _ => (&self.path, name.to_owned()),
        };
        CheckpointError::NotFinite { path: path.clone(), tensor }
    }

    fn read_at(&self, place: &Place, values: &mut [f32]) -> Result<(), CheckpointError> {
        let bytes = self.bytes_at(place)?;
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
            WeightFile::Pytorch(_) | WeightFile::Memory(_) => {}
        }
    }

    /// Whether an adapter adds something to a tensor.
    pub fn is_adapted(&self, name: &str) -> bool {
        self.deltas.contains_key(name)
    }

    /// The path of the model.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
