//! JSON Lines: one object a line. Objects that follow one another in a line, extend over several lines or are the elements of
//! an array are read as well.

use super::json_values::{elements, sequence};
use super::row::{Row, object};

/// Lines end at `\n` only, because strings may contain other Unicode line separators. Blank lines are ignored.
pub(super) fn parse(bytes: &[u8]) -> Vec<Row> {
    let values = elements(bytes).unwrap_or_else(|| sequence(bytes));
    values.into_iter().map(|value| Row { number: value.line, fields: value.value.and_then(object) }).collect()
}
