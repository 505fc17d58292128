//! [`Cursor`]: a position in unchecked bytes.

use std::ops::Range;

/// Reads values one after another, never beyond the end.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

/// What is wrong with a file.
#[derive(Debug)]
pub(crate) struct Malformed {
    pub problem: String,
    /// What to do about a file that is as its writer made it; `None` for one that may be damaged.
    pub remedy: Option<&'static str>,
}

impl Malformed {
    /// A file that may be cut or damaged.
    pub fn damaged(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: None }
    }

    /// A file that is whole, but not as it has to be.
    pub fn unusual(problem: impl Into<String>, remedy: &'static str) -> Self {
        Self { problem: problem.into(), remedy: Some(remedy) }
    }
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub fn position(&self) -> usize {
        self.position
    }

    /// An error at this position.
    pub fn malformed(&self, problem: String) -> Malformed {
        Malformed::damaged(format!("{problem} (at byte {})", self.position))
    }

    pub fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Malformed> {
        match self.bytes[self.position..].first_chunk() {
            Some(array) => {
                self.position += N;
                Ok(*array)
            }
            None => Err(self.malformed(format!("the file ends inside {what}"))),
        }
    }

    pub fn u32(&mut self, what: &str) -> Result<u32, Malformed> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub fn u64(&mut self, what: &str) -> Result<u64, Malformed> {
        self.array(what).map(u64::from_le_bytes)
    }

    pub fn skip(&mut self, len: u64, what: &str) -> Result<(), Malformed> {
        let left = self.bytes.len() - self.position;
        match usize::try_from(len).ok().filter(|len| *len <= left) {
            Some(len) => {
                self.position += len;
                Ok(())
            }
            None => Err(self.malformed(format!("{what} claims {len} bytes, {left} are left"))),
        }
    }

    /// The range of bytes that are preceded by their length.
    pub fn long_bytes(&mut self, what: &str) -> Result<Range<usize>, Malformed> {
        let len = self.u64(what)?;
        let start = self.position;
        self.skip(len, what)?;
        Ok(start..self.position)
    }

    /// A string that is preceded by its length.
    pub fn text(&mut self, what: &str) -> Result<&'a str, Malformed> {
        let place = self.long_bytes(what)?;
        std::str::from_utf8(&self.bytes[place]).map_err(|_| self.malformed(format!("{what} is not UTF-8")))
    }
}
