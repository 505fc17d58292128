//! JSON Lines: one object a line.

use std::path::Path;

use serde_json::Value as Json;

use super::error::RowsError;
use super::problem::{RowProblem, SkipReason};
use super::row::{Row, object};

/// Lines end at `\n` only, because strings may contain other Unicode line separators. Blank lines are ignored.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Row>, RowsError> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let rows: Vec<Row> = lines
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(index, line)| Row {
            number: index + 1,
            fields: serde_json::from_slice::<Json>(line)
                .map_err(|error| RowProblem::new(SkipReason::Unreadable, not_json(&error)))
                .and_then(object),
        })
        .collect();
    let all_bad = !rows.is_empty() && rows.iter().all(|row| row.fields.is_err());
    if all_bad && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok() {
        return Err(RowsError::OtherFormat {
            path: path.to_owned(),
            expected: "JSON Lines",
            found: "one JSON value",
            remedy: "rename it to .json",
        });
    }
    Ok(rows)
}

fn not_json(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // serde_json appends a line that is always 1 here.
    let what = text.split(" at line ").next().unwrap_or(&text);
    format!("not JSON: {what} (column {})", error.column())
}
