//! [`Row`]: one row of a file, as a JSON object.

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

/// The fields of a row that is an object.
pub(super) fn object(value: Json) -> Result<Map<String, Json>, RowProblem> {
    match value {
        Json::Object(fields) => Ok(fields),
        _ => Err(RowProblem::new(SkipReason::NotAnObject, "the row is not a JSON object ({\"field\": …})")),
    }
}
