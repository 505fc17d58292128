//! [`FileEncoding`]: what is said of the text of a file that is not UTF-8.

use std::cell::OnceCell;

use dph_core::encoding::{not_utf8, wide};

/// The encoding of a file that is not UTF-8. All of its rows get the same advice, since a file is converted as a whole.
pub(super) struct FileEncoding<'a> {
    bytes: &'a [u8],
    said: OnceCell<String>,
}

impl<'a> FileEncoding<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, said: OnceCell::new() }
    }

    /// The end of a sentence that begins with a part of the file that is not UTF-8, see [`not_utf8`].
    pub(super) fn not_utf8(&self, part: &[u8]) -> String {
        if !is_text(part) {
            return not_utf8(part);
        }
        self.said.get_or_init(|| not_utf8(&self.foreign_lines())).clone()
    }

    /// The lines that are text but not UTF-8.
    fn foreign_lines(&self) -> Vec<u8> {
        let lines = self.bytes.split(|byte| b"\r\n".contains(byte));
        let foreign = lines.filter(|line| std::str::from_utf8(line).is_err() && is_text(line));
        foreign.collect::<Vec<_>>().join(&b'\n')
    }
}

/// Whether bytes may be characters of one byte, or of several of which none is zero.
fn is_text(bytes: &[u8]) -> bool {
    !bytes.contains(&0) && wide(bytes).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_encoding() {
        let file = FileEncoding::new(b"caf\xE9\nfine \xC3\xA9\rit\x92s\n\xE9\0\n");
        let says =
            "is not UTF-8, but probably Windows-1252; convert the file (iconv -f windows-1252 -t utf-8)";
        assert_eq!((file.not_utf8(b"caf\xE9"), file.not_utf8(b"\x92")), (says.to_owned(), says.to_owned()));
        assert!(file.not_utf8(b"\xE9\0").contains("zero bytes"));
        // Characters of several bytes hide those of one.
        let file = FileEncoding::new(b"caf\xE9\n\xC4\xE3\xBA\xC3\n");
        assert!(file.not_utf8(b"caf\xE9").contains("iconv -f ENCODING"));
    }
}
