//! Models in several GGUF files: `NAME-00001-of-00003.gguf` and so on, as llama.cpp splits them.

use std::path::{Path, PathBuf};

use super::{Gguf, PARTS, is_gguf};
use crate::checkpoint::CheckpointError;

/// The key with the index of a part, from 0.
const INDEX: &str = "split.no";
/// The key with the number of tensors in all parts.
const TENSORS: &str = "split.tensors.count";

impl Gguf {
    /// The whole model of which this is one of `count` parts.
    pub(super) fn join(self, count: usize) -> Result<Self, CheckpointError> {
        let Some(name) = PartName::parse(&self.path).filter(|name| name.count == count) else {
            return Err(self.unsupported(format!(
                "this is one of {count} parts of a model, and its name does not say where the others are; name the parts \
                 NAME-00001-of-{count:05}.gguf and so on"
            )));
        };
        let paths: Vec<PathBuf> =
            (0..count).map(|index| self.path.with_file_name(name.part(index))).collect();
        if let Some(missing) = paths.iter().find(|path| !path.is_file()) {
            return Err(CheckpointError::NotFound {
                path: missing.clone(),
                remedy: format!("it is one of the {count} parts of this model; fetch it as well"),
            });
        }
        let mut whole = if name.index == 0 { self } else { Self::open_one(&paths[0])? };
        whole.check_part(0, count)?;
        let all = whole.checked(whole.metadata.count(TENSORS))?;
        for (index, path) in paths.iter().enumerate().skip(1) {
            let part = Self::open_one(path)?;
            part.check_part(index, count)?;
            part.check_model(&whole, all)?;
            for (name, mut tensor) in part.tensors {
                tensor.part = index;
                if whole.tensors.insert(name.clone(), tensor).is_some() {
                    return Err(
                        whole.unsupported(format!("the tensor {name} is in several parts of the model"))
                    );
                }
            }
            whole.parts.push(part.map);
        }
        match all {
            Some(tensors) if tensors != whole.tensors.len() => Err(whole.unsupported(format!(
                "the parts of this model hold {} tensors, but {TENSORS} is {tensors}; fetch all parts again",
                whole.tensors.len()
            ))),
            _ => Ok(whole),
        }
    }

    /// Fails if the file is another part than its name says.
    fn check_part(&self, index: usize, count: usize) -> Result<(), CheckpointError> {
        let found = [INDEX, PARTS].map(|key| self.checked(self.metadata.count(key)));
        let [found_index, found_count] = found;
        let found = [found_index?.unwrap_or(0), found_count?.unwrap_or(0)];
        match found == [index, count] {
            true => Ok(()),
            false => Err(self.unsupported(format!(
                "by its name this is part {} of {count}, but its keys say part {} of {}; give the parts their names back",
                index + 1,
                found[0] + 1,
                found[1]
            ))),
        }
    }
}

impl Gguf {
    /// Fails if this part is of another model than the first one, which has `all` tensors in all parts.
    fn check_model(&self, first: &Self, all: Option<usize>) -> Result<(), CheckpointError> {
        let other = |key: &str, own: &str, expected: &str| {
            Err(self.unsupported(format!(
                "this is a part of another model than {}: {key} is {own} here and {expected} there; fetch all parts again",
                first.path.display()
            )))
        };
        let own = self.checked(self.metadata.count(TENSORS))?;
        if own != all {
            let shown =
                |count: Option<usize>| count.map_or_else(|| "missing".into(), |count| count.to_string());
            return other(TENSORS, &shown(own), &shown(all));
        }
        match self.architecture.is_empty() || self.architecture == first.architecture {
            true => Ok(()),
            false => other("general.architecture", &self.architecture, &first.architecture),
        }
    }
}

/// The GGUF files in a folder, of a model in several parts the first one, sorted by name.
pub(crate) fn gguf_models(folder: &Path) -> Vec<PathBuf> {
    let files =
        std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let is_first = |path: &PathBuf| PartName::parse(path).is_none_or(|name| name.index == 0);
    let mut models: Vec<PathBuf> = files.filter(|path| is_gguf(path)).filter(is_first).collect();
    models.sort();
    models
}

/// The name of a part.
#[derive(Debug, PartialEq)]
struct PartName {
    stem: String,
    /// From 0; from 1 in the name.
    index: usize,
    count: usize,
}

impl PartName {
    fn parse(path: &Path) -> Option<Self> {
        let (rest, count) = path.file_stem()?.to_str()?.rsplit_once("-of-")?;
        let (stem, index) = rest.rsplit_once('-')?;
        let number = |digits: &str| digits.parse::<usize>().ok().filter(|_| digits.len() == 5);
        let (index, count) = (number(index)?, number(count)?);
        (1..=count).contains(&index).then(|| Self { stem: stem.into(), index: index - 1, count })
    }

    fn part(&self, index: usize) -> String {
        format!("{}-{:05}-of-{:05}.gguf", self.stem, index + 1, self.count)
    }
}
