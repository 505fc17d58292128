//! Text from files, made harmless for a terminal.

/// Text of one line: all control characters are escaped.
pub fn printable_line(text: &str) -> String {
    escaped(text, &[])
}

/// Text of several lines: all control characters but line breaks and tabs are escaped.
pub fn printable_text(text: &str) -> String {
    escaped(text, &['\n', '\t'])
}

fn escaped(text: &str, kept: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() && !kept.contains(&c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        let text = "a\u{1b}[31m\r\n\tb\u{9b}";
        assert_eq!(printable_line(text), "a\\u{1b}[31m\\r\\n\\tb\\u{9b}");
        assert_eq!(printable_text(text), "a\\u{1b}[31m\\r\n\tb\\u{9b}");
    }
}
