//! JSON: an array of objects, an object that holds rows in one of the usual forms, or objects one after another.

use std::path::Path;

use serde_json::Value as Json;

use super::error::RowsError;
use super::json_extent::without_blanks;
use super::json_table::{NO_ROWS, rows};
use super::json_values::{JsonValue, Start, elements, not_json, place_of, sequence};
use super::problem::RowProblem;
use super::python_numbers::{marked, without_marks};
use super::read::Reading;
use super::row::{Row, object};

/// The rows of a file.
pub(super) fn parse(path: &Path, bytes: &[u8], reading: Reading<'_>) -> Result<Vec<Row>, RowsError> {
    let rows = |table| {
        rows(table, reading.split, reading.fit).map_err(|message| RowsError::Damaged {
            path: path.to_owned(),
            line: None,
            message,
        })
    };
    let values: Vec<Result<Json, RowProblem>> = match elements(bytes) {
        Some(elements) => elements.into_iter().map(|element| element.value).collect(),
        None => {
            let mut values = sequence(bytes);
            match values.as_mut_slice() {
                [] => Vec::new(),
                [JsonValue { value: Ok(table), .. }] => rows(table.take())?,
                // Of several values, the first one may have a key twice.
                [JsonValue { value: Ok(Json::Object(_)) | Err(_), is_json: true, .. }, _, ..] => {
                    values.into_iter().map(|value| value.value).collect()
                }
                // The error of one value would hide all rows of a table.
                _ => match marked(bytes) {
                    Some(table @ Json::Object(_)) => {
                        rows(table)?.into_iter().map(|row| row.and_then(without_marks)).collect()
                    }
                    // One that cannot be read does not hide the objects behind it.
                    _ if are_objects(bytes, &values) => values.into_iter().map(|value| value.value).collect(),
                    _ => return Err(unreadable(path, bytes)),
                },
            }
        }
    };
    let rows = values.into_iter().enumerate();
    Ok(rows.map(|(index, value)| Row { number: index + 1, fields: value.and_then(object) }).collect())
}

/// Whether a text is objects one after another, of which some cannot be read. A table that cannot be read does not end with an object.
fn are_objects(bytes: &[u8], values: &[JsonValue]) -> bool {
    let is_object = |value: &JsonValue| value.is_json && matches!(value.value, Ok(Json::Object(_)));
    without_blanks(bytes).starts_with(b"{") && values.len() > 1 && values.last().is_some_and(is_object)
}

/// The error of a file that is neither one value nor a sequence of objects.
fn unreadable(path: &Path, bytes: &[u8]) -> RowsError {
    let damaged = |line, message| RowsError::Damaged { path: path.to_owned(), line, message };
    match serde_json::from_slice::<Json>(bytes) {
        Ok(_) => damaged(None, NO_ROWS.to_owned()),
        Err(error) => {
            let remedy = if error.is_eof() { "; is the file complete?" } else { "" };
            damaged(
                Some(place_of(bytes, &error).0),
                format!("{}{remedy}", not_json(bytes, &error, Start::default())),
            )
        }
    }
}
