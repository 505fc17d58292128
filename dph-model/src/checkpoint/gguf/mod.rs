//! Reads GGUF files: model, configuration and tokenizer in one file, the format of llama.cpp.
//!
//! The format is described in `docs/gguf.md` of ggml. Versions 2 and 3 are read, little-endian. Every count, length
//! and offset in the file is checked against the size of the file before it is used. The published readers do not
//! check them: candle-core 0.11.1 divides by an alignment of 0 and multiplies sizes without a check, ggus 0.5.1
//! allocates by unchecked counts, and gguf-rs-lib 0.3.3 reads only version 3 and no quantised blocks.

mod blocks;
mod config;
mod cursor;
mod metadata;
mod names;
mod pre_tokenizers;
mod rope;
mod rows;
mod split;
mod tensors;
mod tokenizer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use blocks::BlockType;
pub(super) use split::gguf_models;

use super::CheckpointError;
use super::mapped::Mapped;
use cursor::{Cursor, Malformed};
use metadata::Metadata;
pub(super) use rows::GgufTensors;
use tensors::RawTensor;

/// A GGUF file, memory-mapped, or the parts of one.
#[derive(Debug)]
pub(crate) struct Gguf {
    path: PathBuf,
    /// The file, or the first part, which has all metadata.
    map: Mapped,
    /// The other parts.
    parts: Vec<Mapped>,
    metadata: Metadata,
    architecture: String,
    /// By the names in the file.
    tensors: BTreeMap<String, RawTensor>,
}

/// The first parts of the names of the heads of reward models and classifiers.
const HEADS: [&str; 3] = ["cls", "score", "v_head"];

/// The key with the number of parts of a model.
const PARTS: &str = "split.count";

/// What to do about a whole file in which a tensor is not in its usual place.
const WRITE_ANEW: &str = "write it anew with `gguf-new-metadata IN OUT` of llama.cpp's package gguf, or use the model in the layout of \
                          Hugging Face";

/// What to do about a whole file that the tools of llama.cpp do not read either.
const MAKE_ANEW: &str = "make it anew of the model in the layout of Hugging Face with convert_hf_to_gguf.py of llama.cpp, or use that model";

/// Whether a path is a GGUF file, which holds a whole model.
pub fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf")) && path.is_file()
}

impl Gguf {
    /// Opens a file. If it is a part of a model, the other parts are opened as well.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let first = Self::open_one(path)?;
        match first.checked(first.metadata.count(PARTS))? {
            None | Some(0 | 1) => Ok(first),
            Some(count) => first.join(count),
        }
    }

    fn open_one(path: &Path) -> Result<Self, CheckpointError> {
        let map = Mapped::open(path, "GGUF")?;
        let parsed = parse(map.bytes());
        let (metadata, tensors) = parsed.map_err(|Malformed { problem, remedy }| match remedy {
            Some(remedy) => {
                CheckpointError::Gguf { path: path.into(), problem: format!("{problem}; {remedy}") }
            }
            None => {
                let bytes = map.bytes().len() as u64;
                CheckpointError::Damaged { path: path.into(), format: "GGUF", bytes, problem }
            }
        })?;
        let mut gguf = Self {
            path: path.into(),
            map,
            parts: Vec::new(),
            metadata,
            architecture: String::new(),
            tensors,
        };
        gguf.architecture = gguf.text("general.architecture")?.unwrap_or_default().to_string();
        Ok(gguf)
    }

    /// The maps of the file, or of all parts in their order.
    pub fn maps(&self) -> impl Iterator<Item = &Mapped> {
        std::iter::once(&self.map).chain(&self.parts)
    }

    /// The bytes of a tensor.
    fn bytes(&self, tensor: &RawTensor) -> &[u8] {
        let map = tensor.part.checked_sub(1).map_or(&self.map, |part| &self.parts[part]);
        &map.bytes()[tensor.bytes.clone()]
    }

    /// A key of the architecture, such as `block_count` for `llama.block_count`.
    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture)
    }

    /// The text of a key.
    fn text(&self, key: &str) -> Result<Option<&str>, CheckpointError> {
        self.checked(self.metadata.text(key, self.map.bytes()))
    }

    /// What was read of the metadata, with an error that names the file.
    fn checked<T>(&self, read: Result<T, Malformed>) -> Result<T, CheckpointError> {
        read.map_err(|Malformed { problem, .. }| self.unsupported(problem))
    }

    /// Fails if the file holds the head of a reward model or classifier.
    pub fn check_no_head(&self) -> Result<(), CheckpointError> {
        let is_of_head = |name: &&String| HEADS.iter().any(|head| name.split('.').next() == Some(*head));
        match self.tensors.keys().find(is_of_head) {
            None => Ok(()),
            Some(name) => Err(self.unsupported(format!(
                "this is a reward model or classifier, whose head ({name}) is not read from GGUF files; use the model that the file was \
                 made of, in the layout of Hugging Face"
            ))),
        }
    }

    fn unsupported(&self, problem: impl Into<String>) -> CheckpointError {
        CheckpointError::Gguf { path: self.path.clone(), problem: problem.into() }
    }
}

fn parse(bytes: &[u8]) -> Result<(Metadata, BTreeMap<String, RawTensor>), Malformed> {
    let mut cursor = Cursor::new(bytes);
    if &cursor.array::<4>("the magic number")? != b"GGUF" {
        return Err(Malformed::damaged("it does not start with GGUF"));
    }
    match cursor.u32("the version")? {
        2 | 3 => {}
        version if matches!(version.swap_bytes(), 2 | 3) => {
            let remedy = "write it as little-endian with `gguf-convert-endian FILE little` of llama.cpp's package gguf";
            return Err(Malformed::unusual("the file is big-endian, which is not supported", remedy));
        }
        version => {
            let problem = format!("version {version} of GGUF is not supported, only 2 and 3 are");
            return Err(Malformed::unusual(problem, MAKE_ANEW));
        }
    }
    let (tensors, pairs) = (cursor.u64("the number of tensors")?, cursor.u64("the number of keys")?);
    let metadata = Metadata::read(&mut cursor, pairs)?;
    let tensors = tensors::read(&mut cursor, tensors, &metadata, bytes.len())?;
    Ok((metadata, tensors))
}
