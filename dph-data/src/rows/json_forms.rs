//! The rows of JSON tables in the forms in which pandas and others write them.

use std::collections::HashSet;

use dph_core::terminal::numbers::counted;
use serde_json::{Map, Value as Json};

use super::json_kind::json_kind;
use super::problem::{RowProblem, SkipReason};

/// The keys of `to_json(orient="split")` and `to_dict(orient="tight")` of pandas.
const SPLIT_KEYS: [&str; 5] = ["columns", "index", "data", "index_names", "column_names"];

/// The rows of an object with the names of the columns and lists of values; `None` if it is something else.
pub(super) fn of_lists(fields: &Map<String, Json>) -> Option<Result<Vec<Result<Json, RowProblem>>, String>> {
    let name = |name: &Json| match name {
        Json::String(name) => Some(name.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let names: Vec<String> = fields.get("columns")?.as_array()?.iter().map(name).collect::<Option<_>>()?;
    let rows = fields.get("data")?.as_array()?;
    let fits = |row: &Json| row.as_array().is_some_and(|values| values.len() == names.len());
    let are_keys = || fields.keys().all(|key| SPLIT_KEYS.contains(&&**key));
    let is_table = rows.iter().all(fits) || are_keys() && rows.iter().any(Json::is_array);
    if !is_table {
        return None;
    }
    let mut known = HashSet::new();
    if let Some(name) = names.iter().find(|name| !known.insert(&***name)) {
        return Some(Err(format!("two columns have the name `{name}`; rename or remove one of them")));
    }
    Some(Ok(rows.iter().map(|row| of_list(&names, row)).collect()))
}

fn of_list(names: &[String], row: &Json) -> Result<Json, RowProblem> {
    let there = match row {
        Json::Array(values) if values.len() == names.len() => {
            return Ok(names.iter().cloned().zip(values.iter().cloned()).collect());
        }
        Json::Array(values) => counted(values.len(), "value"),
        other => json_kind(other).to_owned(),
    };
    let message =
        format!("the row is {there} in `data`, where `columns` names {}", counted(names.len(), "value"));
    Err(RowProblem::new(SkipReason::Unreadable, message))
}

/// A row of columns that are lists or, where one is something else, have this value in every row.
pub(super) fn row_of_columns(fields: &Map<String, Json>, row: usize) -> Map<String, Json> {
    let value = |value: &Json| match value {
        Json::Array(values) => values.get(row).cloned().unwrap_or_default(),
        Json::Object(values) => values.values().nth(row).cloned().unwrap_or_default(),
        other => other.clone(),
    };
    fields.iter().map(|(name, column)| (name.clone(), value(column))).collect()
}

/// The rows of columns that are lists of one length.
pub(super) fn of_columns(fields: Map<String, Json>) -> Vec<Json> {
    let mut table: Vec<Map<String, Json>> = Vec::new();
    for (name, column) in fields {
        let Json::Array(values) = column else { continue };
        table.resize_with(table.len().max(values.len()), Map::new);
        for (row, value) in table.iter_mut().zip(values) {
            row.insert(name.clone(), value);
        }
    }
    table.into_iter().map(Json::Object).collect()
}

/// The rows of columns that are objects with the same keys, such as the numbers of rows.
pub(super) fn of_keyed_columns(fields: Map<String, Json>) -> Vec<Json> {
    let mut table: Map<String, Json> = Map::new();
    for (name, column) in fields {
        let Json::Object(column) = column else { continue };
        for (key, value) in column {
            let row = table.entry(key).or_insert_with(|| Map::new().into());
            if let Json::Object(row) = row {
                row.insert(name.clone(), value);
            }
        }
    }
    table.into_iter().map(|(_, row)| row).collect()
}

/// One row of such columns.
pub(super) fn row_of_keyed_columns(fields: &Map<String, Json>, key: &str) -> Map<String, Json> {
    fields.iter().filter_map(|(name, column)| Some((name.clone(), column.get(key)?.clone()))).collect()
}
