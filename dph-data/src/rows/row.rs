//! [`Row`]: one row of a file, as a JSON object.

use dph_core::terminal::numbers::listed;
use serde_json::{Map, Value as Json};

use super::problem::{RowProblem, SkipReason};

/// One row of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The line on which the row starts, from 1; in json and parquet the number of the row, from 1.
    pub number: usize,
    /// The row's fields, or what is wrong with it.
    pub fields: Result<Map<String, Json>, RowProblem>,
}

/// How many fields a message names.
const MOST_NAMED: usize = 12;

/// The names of fields, for messages.
pub(crate) fn field_names(fields: &Map<String, Json>) -> String {
    match fields.is_empty() {
        true => "no field".to_owned(),
        false => listed(fields.keys().map(|name| format!("`{name}`")), MOST_NAMED),
    }
}

/// The fields of a row that is an object.
pub(super) fn object(value: Json) -> Result<Map<String, Json>, RowProblem> {
    match value {
        Json::Object(fields) => Ok(fields),
        other => {
            let remedy = match other {
                Json::Array(_) => {
                    ", but an array, whose values have no names; write an object, or a csv file whose first line names the columns"
                }
                _ => "",
            };
            let message = format!("the row is not a JSON object ({{\"field\": …}}){remedy}");
            Err(RowProblem::new(SkipReason::NotAnObject, message))
        }
    }
}
