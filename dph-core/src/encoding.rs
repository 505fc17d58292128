//! What to say about text that is not UTF-8: the likely encoding and the remedy.

/// Some programs write it before a text in UTF-8, and it is no part of the text.
pub const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The end of a sentence that begins with what is not UTF-8, such as "the column `q`".
///
/// ```
/// use dph_core::encoding::not_utf8;
///
/// assert_eq!(
///     format!("the text {}", not_utf8(b"Caf\xE9")),
///     "the text is not UTF-8, but probably Latin-1 (ISO 8859-1); convert the file (iconv -f latin1 -t utf-8)"
/// );
/// ```
pub fn not_utf8(text: &[u8]) -> String {
    if let Some((name, iconv)) = wide(text) {
        return format!("is not UTF-8, but {name}; convert the file (iconv -f {iconv} -t utf-8)");
    }
    if text.contains(&0) {
        return "is not text: it holds zero bytes; is this the right file?".to_owned();
    }
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

/// The encoding of a whole text in units of 2 or 4 bytes, and its name for iconv. It shows in the byte order mark, or in the zeros of ASCII
/// without one.
pub fn wide(text: &[u8]) -> Option<(&'static str, &'static str)> {
    Some(match text {
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => ("UTF-32", "utf-32"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => ("UTF-16", "utf-16"),
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => ("UTF-16", "utf-16le"),
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => ("UTF-16", "utf-16be"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likely_encoding_is_named() {
        for (text, says) in [
            (&b"Caf\xE9"[..], "probably Latin-1 (ISO 8859-1); convert the file (iconv -f latin1 "),
            (b"It\x92s", "iconv -f windows-1252 "),
            // GB 18030.
            (b"\xC4\xE3\xBA\xC3", "iconv -f ENCODING "),
            (b"\xFF\xFEa\0", "is not UTF-8, but UTF-16; convert the file (iconv -f utf-16 "),
            (b"a\0b\0", "iconv -f utf-16le "),
            (b"\0a\0b", "iconv -f utf-16be "),
            (b"\xFF\xFE\0\0a\0\0\0", "UTF-32"),
            (b"\x7FELF\0\x90", "is not text"),
        ] {
            assert!(not_utf8(text).contains(says), "{says}: {}", not_utf8(text));
        }
    }
}
