//! [`Digest`]: the digest by which the hub names the content of a file.

use std::fmt::LowerHex;
use std::io::{self, Read};

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

const BUFFER: usize = 1 << 20;

/// The digest of a file's content, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digest {
    /// Of a large file.
    Sha256(String),
    /// The name of the content in git: SHA-1 of a header with the length, and the content.
    Git(String),
}

impl Digest {
    /// `None` if this is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_start_matches("W/").trim_matches('"').to_ascii_lowercase();
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        match text.len() {
            64 => Some(Self::Sha256(text)),
            40 => Some(Self::Git(text)),
            _ => None,
        }
    }

    /// Some digits, for the name of a file.
    pub fn tag(&self) -> &str {
        &self.as_str()[..16]
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        let (Self::Sha256(text) | Self::Git(text)) = self;
        text
    }

    /// The digest of the same kind of a content of this length.
    ///
    /// # Errors
    /// A content that cannot be read.
    pub fn of(&self, content: &mut impl Read, length: u64) -> io::Result<Self> {
        Ok(match self {
            Self::Sha256(_) => Self::Sha256(hashed(Sha256::new(), content)?),
            Self::Git(_) => Self::Git(hashed(Sha1::new_with_prefix(format!("blob {length}\0")), content)?),
        })
    }
}

fn hashed<D: sha2::Digest>(mut hasher: D, content: &mut impl Read) -> io::Result<String>
where
    sha2::digest::Output<D>: LowerHex,
{
    let mut buffer = vec![0; BUFFER];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(format!("{:x}", hasher.finalize()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_git_and_of_large_files() {
        // `printf 'hello\n' | git hash-object --stdin`, and `| sha256sum`.
        let git = Digest::parse("ce013625030ba8dba906f756967f9e9ca394464a").unwrap();
        let large = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let large = Digest::parse(&format!("\"{}\"", large.to_uppercase())).unwrap();
        for digest in [git, large] {
            assert_eq!(digest.of(&mut &b"hello\n"[..], 6).unwrap(), digest);
            assert_ne!(digest.of(&mut &b"hallo\n"[..], 6).unwrap(), digest);
        }
        for other in ["", "W/\"abc\"", "main", &"g".repeat(40)] {
            assert_eq!(Digest::parse(other), None, "{other}");
        }
    }
}
