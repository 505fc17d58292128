//! How far a JSON value extends that cannot be read, and what is behind a value.

use dph_core::encoding::BYTE_ORDER_MARK;

/// What is behind a value in its last line.
pub(super) enum Behind {
    /// Nothing, or another object.
    Value,
    /// Commas and blanks up to the next object or the end of the line, with their length.
    Commas(usize),
    /// Anything else.
    Other,
}

pub(super) fn behind(rest: &[u8]) -> Behind {
    let text = without_blanks(rest);
    let blanks = &rest[..rest.len() - text.len()];
    if blanks.contains(&b'\n') || matches!(text.first(), None | Some(b'{')) {
        return Behind::Value;
    }
    let commas = rest.iter().take_while(|byte| b", \t\r".contains(byte)).count();
    match rest.get(commas) {
        None | Some(b'{' | b'\n') => Behind::Commas(commas),
        Some(_) => Behind::Other,
    }
}

/// A text without the blanks at its beginning. Files that were joined have byte order marks inside.
pub(super) fn without_blanks(mut text: &[u8]) -> &[u8] {
    loop {
        text = text.trim_ascii_start();
        match text.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) => text = rest,
            None => return text,
        }
    }
}

/// The length of the first line without its end.
pub(super) fn line_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len())
}

/// The length of a value whose brackets are closed, or the place at which it was not yet and reading stopped. `stops` has the place,
/// the byte and, outside of strings, the number of open brackets.
pub(super) fn closed(bytes: &[u8], stops: impl Fn(usize, u8, Option<usize>) -> bool) -> Result<usize, usize> {
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    for (at, &byte) in bytes.iter().enumerate() {
        if stops(at, byte, (!in_string).then_some(depth)) {
            return Err(at);
        }
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = in_string,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Ok(at + 1);
                }
            }
            _ => {}
        }
    }
    Err(bytes.len())
}

/// Whether another object begins in a line behind one that ends there.
pub(super) fn has_object(line: &[u8]) -> bool {
    let mut follows_end = false;
    for byte in line {
        match byte {
            b'}' => follows_end = true,
            b'{' if follows_end => return true,
            b',' | b' ' | b'\t' | b'\r' => {}
            _ => follows_end = false,
        }
    }
    false
}
