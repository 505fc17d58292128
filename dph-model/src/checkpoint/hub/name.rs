//! [`HubName`]: `hf:owner/name` or `hf:owner/name@revision`.

use std::fmt;
use std::path::Path;

use dph_core::hub::HUB_PREFIX;

use crate::checkpoint::error::CheckpointError;

/// The default revision.
const MAIN: &str = "main";

/// A repository at a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::checkpoint) struct HubName {
    /// `owner/name`, or the name alone.
    pub repository: String,
    /// A branch, a tag or a commit.
    pub revision: String,
}

impl HubName {
    /// The repository that a path names; `None` for any other path.
    pub fn from_path(path: &Path) -> Result<Option<Self>, CheckpointError> {
        let name = path.to_str().and_then(|path| path.strip_prefix(HUB_PREFIX));
        name.map(Self::parse).transpose()
    }

    fn parse(text: &str) -> Result<Self, CheckpointError> {
        let (repository, revision) = text.split_once('@').unwrap_or((text, MAIN));
        let name = Self { repository: repository.into(), revision: revision.into() };
        let plain = |part: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !part.is_empty() && part.chars().all(plain) && !part.starts_with('.') && !part.contains("..")
        };
        let parts = repository.split('/').count();
        match repository.split('/').all(plain) && parts <= 2 && revision.split('/').all(plain) {
            true => Ok(name),
            false => Err(name.failed(
                "this is not the name of a repository; write hf:owner/name or hf:owner/name@revision",
            )),
        }
    }

    /// The error that the model is not available.
    pub fn failed(&self, problem: impl Into<String>) -> CheckpointError {
        CheckpointError::Hub { name: self.to_string(), problem: problem.into() }
    }
}

impl fmt::Display for HubName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HUB_PREFIX}{}", self.repository)?;
        match self.revision.as_str() {
            MAIN => Ok(()),
            revision => write!(f, "@{revision}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_an_owner_and_a_revision() {
        let name = HubName::parse("owner/some-model@refs/pr/1").unwrap();
        assert_eq!((name.repository.as_str(), name.revision.as_str()), ("owner/some-model", "refs/pr/1"));
        assert_eq!(HubName::parse("gpt2").unwrap().to_string(), "hf:gpt2");
        for wrong in ["", "a/b/c", "../x", "a/..", "a/b@../../x", "a b", "a/b@", "/etc/passwd"] {
            assert!(HubName::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(HubName::from_path(Path::new("some/folder")).unwrap(), None);
    }
}
