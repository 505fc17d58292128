//! Text files that people write or download: UTF-8, or an error that names the encoding.

use std::io;
use std::path::Path;

use crate::encoding::{not_utf8, wide};
use crate::path_kind::PathKind;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text of a file, without a byte order mark. Pipes are read to their end.
///
/// # Errors
/// The file cannot be read; of what is no file, the error says what it is. Text that is not UTF-8 is
/// [`InvalidData`](io::ErrorKind::InvalidData), with the likely encoding and the remedy.
pub fn read_text(path: &Path) -> io::Result<String> {
    let bytes = std::fs::read(path).map_err(|error| PathKind::explain(path, error))?;
    utf8(bytes).map_err(|problem| io::Error::new(io::ErrorKind::InvalidData, format!("this {problem}")))
}

fn utf8(bytes: Vec<u8>) -> Result<String, String> {
    if wide(&bytes).is_some() {
        return Err(not_utf8(&bytes));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| not_utf8(error.as_bytes()))?;
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    Ok(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_text_or_the_error_says_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        let said = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read_text(&path).map_err(|error| error.to_string())
        };
        assert_eq!(said("Café".as_bytes()), Ok("Café".to_owned()));
        assert_eq!(said("\u{feff}a = 1".as_bytes()), Ok("a = 1".to_owned()));
        for (bytes, says) in [
            (&b"\xFF\xFEa\0"[..], "this is not UTF-8, but UTF-16; convert the file (iconv -f utf-16 "),
            (b"a\0b\0", "UTF-16"),
            (b"Caf\xE9", "this is not UTF-8, but probably Latin-1"),
        ] {
            assert!(said(bytes).unwrap_err().contains(says), "{says}");
        }
        assert_eq!(read_text(folder.path()).unwrap_err().to_string(), "this is a directory");
        let missing = read_text(&folder.path().join("y.toml")).unwrap_err();
        assert_eq!(
            (missing.kind(), missing.to_string()),
            (io::ErrorKind::NotFound, "there is no such file or directory".to_owned())
        );
    }
}
