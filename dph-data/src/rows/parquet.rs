//! Parquet, the format of the Hugging Face hub.

use std::collections::HashSet;
use std::fmt::Display;
use std::fs::File;
use std::path::Path;

use dph_core::git_lfs::is_pointer_file;
use dph_core::panics::without_panic;
use parquet::data_type::Decimal;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Map, Value as Json};

use super::byte_values::bytes_value;
use super::error::RowsError;
use super::row::Row;

pub(super) fn read(path: &Path) -> Result<Vec<Row>, RowsError> {
    let file = File::open(path).map_err(|source| RowsError::Read { path: path.to_owned(), source })?;
    if is_pointer_file(path) {
        return Err(RowsError::pointer(path));
    }
    // The reader panics on some damaged files.
    match without_panic(|| rows(path, file)) {
        Ok(rows) => rows,
        Err(panic) => Err(damaged(path, &panic)),
    }
}

fn rows(path: &Path, file: File) -> Result<Vec<Row>, RowsError> {
    let damaged = |error: ParquetError| damaged(path, &error);
    let reader = SerializedFileReader::new(file).map_err(damaged)?;
    let mut names = HashSet::new();
    for column in reader.metadata().file_metadata().schema().get_fields() {
        if !names.insert(column.name()) {
            return Err(RowsError::same_columns(path, None, column.name()));
        }
    }
    check_row_counts(reader.metadata()).map_err(damaged)?;
    let rows = reader.get_row_iter(None).map_err(damaged)?;
    rows.enumerate()
        .map(|(index, row)| {
            Ok(Row { number: index + 1, fields: Ok(object(row.map_err(damaged)?.get_column_iter())) })
        })
        .collect()
}

/// Rejects numbers of rows that contradict each other. The reader would make as many rows as the footer says, without an end and
/// whatever the pages hold.
fn check_row_counts(metadata: &ParquetMetaData) -> Result<(), ParquetError> {
    let wrong = |what: String| Err(ParquetError::General(what));
    let mut sum: i64 = 0;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let rows = group.num_rows();
        // A row has a value, also an empty one, in every column.
        let values = group.columns().iter().map(|column| column.num_values()).min();
        if rows < 0 || values.is_some_and(|values| values < rows) {
            let values = values.unwrap_or_default();
            return wrong(format!("the row group {index} has {rows} rows, but a column of {values} values"));
        }
        sum = sum.saturating_add(rows);
    }
    let all = metadata.file_metadata().num_rows();
    match sum == all {
        true => Ok(()),
        false => wrong(format!("the row groups have {sum} rows, but the file has {all}")),
    }
}

fn damaged(path: &Path, error: &dyn Display) -> RowsError {
    let message = format!(
        "not a readable parquet file ({error}); is it complete, and not a text file under a wrong name?"
    );
    RowsError::Damaged { path: path.to_owned(), line: None, message }
}

fn object<'a>(columns: impl Iterator<Item = (&'a String, &'a Field)>) -> Map<String, Json> {
    columns.map(|(name, field)| (name.clone(), json(field))).collect()
}

fn json(field: &Field) -> Json {
    match field {
        // Many writers do not annotate text as UTF-8.
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => text.into(),
            Err(_) => bytes_value(bytes.len()),
        },
        Field::Decimal(number) => decimal(field, number),
        Field::Group(row) => object(row.get_column_iter()).into(),
        Field::ListInternal(list) => list.elements().iter().map(json).collect(),
        Field::MapInternal(map) => {
            let entries = map.entries().iter().map(|(key, value)| (key_text(key), json(value)));
            Json::Object(entries.collect())
        }
        _ => field.to_json_value(),
    }
}

/// A decimal without a fraction is an integer. Any other is its digits, because a floating-point number would lose zeros.
fn decimal(field: &Field, number: &Decimal) -> Json {
    let digits = match field.to_json_value() {
        Json::String(digits) => digits,
        other => return other,
    };
    if number.scale() > 0 {
        return digits.into();
    }
    let digits = digits.trim_end_matches('.');
    let integer = digits.parse().map(i64::into).or_else(|_| digits.parse().map(u64::into));
    integer.unwrap_or_else(|_| digits.into())
}

fn key_text(key: &Field) -> String {
    match json(key) {
        Json::String(text) => text,
        other => other.to_string(),
    }
}
