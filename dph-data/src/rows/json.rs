//! JSON: an array of objects, or an object that holds one such array.

use std::path::Path;

use serde_json::Value as Json;

use super::error::RowsError;
use super::row::{Row, object};

pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Row>, RowsError> {
    let damaged = |line, message: String| RowsError::Damaged { path: path.to_owned(), line, message };
    let value: Json = serde_json::from_slice(bytes).map_err(|error| {
        let looks_like_lines = bytes
            .split(|byte| *byte == b'\n')
            .take(2)
            .all(|line| serde_json::from_slice::<serde_json::Map<String, Json>>(line).is_ok());
        let remedy = if looks_like_lines {
            "; every line is a JSON object: rename it to .jsonl"
        } else if error.is_eof() {
            "; is the file complete?"
        } else {
            ""
        };
        damaged(Some(error.line()), format!("not JSON: {error}{remedy}"))
    })?;
    let items = match value {
        Json::Array(items) => items,
        Json::Object(fields) => {
            let mut arrays = fields.into_iter().filter_map(|(_, value)| match value {
                Json::Array(items) => Some(items),
                _ => None,
            });
            match (arrays.next(), arrays.next()) {
                (Some(items), None) => items,
                _ => {
                    let message = "the object must hold exactly one array of rows; keep only that array";
                    return Err(damaged(None, message.to_owned()));
                }
            }
        }
        _ => return Err(damaged(None, "an array of rows is needed: [{…}, {…}]".to_owned())),
    };
    let rows = items.into_iter().enumerate();
    Ok(rows.map(|(index, item)| Row { number: index + 1, fields: object(item) }).collect())
}
