//! White space as Python knows it.

/// Whether `str.isspace`, `str.strip` and `\s` of Python take a character as white space.
pub(crate) fn is_python_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}
