//! Bytes that are not UTF-8: what to say about them, and what stands for them in a row.

use serde_json::{Map, Value as Json};

/// The key of the object that stands for bytes in a row. As a phrase it also completes messages.
pub(crate) const BYTES: &str = "a byte array that is not UTF-8";

/// What stands in a row for bytes that are not UTF-8. The row can be used by a task that does not need the field.
pub(super) fn bytes_value(length: usize) -> Json {
    Map::from_iter([(BYTES.to_owned(), length.into())]).into()
}

/// Whether a value stands for bytes, or contains one that does.
pub(crate) fn holds_bytes(value: &Json) -> bool {
    match value {
        Json::Object(fields) => fields.contains_key(BYTES) || fields.values().any(holds_bytes),
        Json::Array(items) => items.iter().any(holds_bytes),
        _ => false,
    }
}

/// The end of a sentence about text that is not UTF-8: the likely encoding and the remedy.
pub(super) fn not_utf8(text: &[u8]) -> String {
    let is_high = |byte: &u8| !byte.is_ascii();
    let longest = text.split(|byte| !is_high(byte)).map(<[u8]>::len).max().unwrap_or(0);
    // In Western text, letters outside of ASCII stand alone. Latin-1 has no printable characters from 0x80 to 0x9F.
    let (encoding, name) = match longest {
        3.. => return "is not UTF-8; convert the file (iconv -f ENCODING -t utf-8)".to_owned(),
        _ if text.iter().any(|byte| (0x80..0xA0).contains(byte)) => ("Windows-1252", "windows-1252"),
        _ => ("Latin-1 (ISO 8859-1)", "latin1"),
    };
    format!("is not UTF-8, but probably {encoding}; convert the file (iconv -f {name} -t utf-8)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likely_encoding_is_named() {
        assert!(not_utf8(b"Caf\xE9").contains("iconv -f latin1 "));
        assert!(not_utf8(b"It\x92s").contains("iconv -f windows-1252 "));
        assert!(not_utf8(b"\xC4\xE3\xBA\xC3").contains("iconv -f ENCODING "), "GB 18030");
    }
}
