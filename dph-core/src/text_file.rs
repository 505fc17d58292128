//! Text files that people write or download: UTF-8, or an error that names the encoding.

use std::io;
use std::path::Path;

/// The text of a file.
///
/// # Errors
/// The file cannot be read. Text that is not UTF-8 is [`InvalidData`](io::ErrorKind::InvalidData), with the likely encoding and the remedy.
pub fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(std::fs::read(path)?).map_err(|error| {
        let (what, from) = match error.as_bytes() {
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => ("this is UTF-16", "utf-16"),
            [_, 0, ..] | [0, ..] => ("this is no text", "ENCODING"),
            _ => ("this is not UTF-8, but perhaps Latin-1", "latin1"),
        };
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{what}; convert it to UTF-8 (iconv -f {from} -t utf-8)"),
        )
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        let said = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read_text(&path).map_err(|error| error.to_string())
        };
        assert_eq!(said("Café".as_bytes()), Ok("Café".to_owned()));
        assert!(
            said(b"\xFF\xFEa\0")
                .unwrap_err()
                .contains("this is UTF-16; convert it to UTF-8 (iconv -f utf-16 ")
        );
        assert!(said(b"Caf\xE9").unwrap_err().contains("perhaps Latin-1"));
    }
}
