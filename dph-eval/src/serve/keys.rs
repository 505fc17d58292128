//! [`ApiKeys`]: who may use the service.

use std::fmt;
use std::path::{Path, PathBuf};

use blake3::Hash;
use dph_core::text_file::read_text;
use subtle::{Choice, ConstantTimeEq};

/// The keys of which a request must have one, in the header `Authorization: Bearer KEY`.
///
/// Only hashes of keys are kept. They are compared in constant time, and with all keys.
#[derive(Clone, Default)]
pub struct ApiKeys(Vec<Hash>);

/// A file without keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The file cannot be read.
    #[error("{}: {source}; name a file with a key a line", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file has no key.
    #[error("{}: there is no key in this file; write one a line", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

impl ApiKeys {
    /// These keys. Blanks around a key do not belong to it, and empty keys are left out.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        let keys = keys.into_iter().map(str::trim).filter(|key| !key.is_empty());
        Self(keys.map(|key| blake3::hash(key.as_bytes())).collect())
    }

    /// The keys in a text such as a variable, separated by commas or lines.
    pub fn separated(text: &str) -> Self {
        Self::new(text.split([',', '\n']))
    }

    /// The keys in a file, one a line. Lines that begin with `#` are comments.
    ///
    /// # Errors
    /// A file that cannot be read or has no key.
    pub fn read(path: &Path) -> Result<Self, KeysError> {
        let text = read_text(path).map_err(|source| KeysError::Io { path: path.to_owned(), source })?;
        let keys = Self::new(text.lines().filter(|line| !line.trim_start().starts_with('#')));
        if keys.is_empty() { Err(KeysError::Empty { path: path.to_owned() }) } else { Ok(keys) }
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These keys and others.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Whether the value of a header `Authorization` has one of the keys, or none is needed.
    pub(super) fn accept(&self, authorization: Option<&[u8]>) -> bool {
        if self.is_empty() {
            return true;
        }
        let Some(key) = authorization.and_then(bearer) else { return false };
        let given = blake3::hash(key);
        let same = |known: &Hash| known.as_bytes().ct_eq(given.as_bytes());
        self.0.iter().fold(Choice::from(0), |any, known| any | same(known)).into()
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeys({})", self.0.len())
    }
}

/// The key in a header. The name of a scheme has no case.
fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = authorization.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| key.trim_ascii())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_of_the_keys_is_needed() {
        let keys = ApiKeys::new(["first", " second ", ""]);
        let accepts = |header: &str| keys.accept(Some(header.as_bytes()));
        assert!(accepts("Bearer first") && accepts("bearer second") && accepts("Bearer  second "));
        for wrong in ["", "Bearer ", "Bearer", "Bearer third", "Bearer firs", "Basic first", "first"] {
            assert!(!accepts(wrong), "{wrong:?}");
        }
        assert!(!keys.accept(None));
        let separated = ApiKeys::separated("first, second\nthird,\r\n");
        assert_eq!(separated.0.len(), 3);
        assert!(separated.accept(Some(b"Bearer third")));
        assert!(ApiKeys::default().accept(None));
        assert_eq!(format!("{keys:?}"), "ApiKeys(2)");
    }

    #[test]
    fn a_file_has_a_key_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        write("# of the web site\nfirst\n\n second\r\n");
        let keys = ApiKeys::read(&path).unwrap();
        assert_eq!(keys.0.len(), 2);
        assert!(keys.accept(Some(b"Bearer second")));
        write("# none yet\n");
        assert!(ApiKeys::read(&path).unwrap_err().to_string().ends_with("write one a line"));
        assert!(ApiKeys::read(dir.path()).is_err());
    }
}
