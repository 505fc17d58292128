//! JSON Lines: one object a line. Objects that follow one another in a line, extend over several lines or are the elements of
//! an array are read as well.

use std::path::Path;

use super::error::RowsError;
use super::json_values::{JsonValue, elements, sequence};
use super::row::{Row, object};

/// Lines end at `\n` only, because strings may contain other Unicode line separators. Blank lines are ignored.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Row>, RowsError> {
    let values = elements(bytes).unwrap_or_else(|| sequence(bytes));
    if is_table(bytes) && values.iter().all(|value| !value.is_json) {
        return Err(RowsError::OtherFormat {
            path: path.to_owned(),
            expected: "JSON",
            found: "other text",
            remedy: "if it is csv, rename it to .csv (with tabs to .tsv)",
        });
    }
    let row = |value: JsonValue| Row { number: value.line, fields: value.value.and_then(object) };
    Ok(values.into_iter().map(row).collect())
}

/// Whether the first line may be that of a table: words with delimiters between them.
fn is_table(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    let line = text.split(|byte| b"\r\n".contains(byte)).next().unwrap_or_default();
    let is_word = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'"' | b'_');
    line.first().is_some_and(is_word) && line.iter().any(|byte| b",;\t|".contains(byte))
}
