//! Parquet, the format of the Hugging Face hub.

use std::collections::HashSet;
use std::fmt::Display;
use std::fs::File;
use std::path::Path;

use dph_core::git_lfs::is_pointer_file;
use dph_core::panics::without_panic;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use parquet::data_type::Decimal;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::{Type, TypePtr};
use serde_json::{Map, Value as Json};

use super::error::RowsError;
use super::row::Row;
use super::stand_ins::{bytes_value, number_value};
use super::timestamps::{time_of_day, timestamp};

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
    let schema = reader.metadata().file_metadata().schema();
    let mut names = HashSet::new();
    for column in schema.get_fields() {
        if !names.insert(column.name()) {
            return Err(RowsError::same_columns(path, None, column.name()));
        }
    }
    check_row_counts(reader.metadata()).map_err(damaged)?;
    let rows = reader.get_row_iter(None).map_err(damaged)?;
    rows.enumerate()
        .map(|(index, row)| {
            Ok(Row {
                number: index + 1,
                fields: Ok(object(row.map_err(damaged)?.get_column_iter(), Some(schema))),
            })
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

fn object<'a>(
    columns: impl Iterator<Item = (&'a String, &'a Field)>,
    group: Option<&Type>,
) -> Map<String, Json> {
    columns.map(|(name, field)| (name.clone(), json(field, child(group, name)))).collect()
}

/// The value of a field. `kind` is its type in the schema, of which the fields of rows keep only a part.
fn json(field: &Field, kind: Option<&Type>) -> Json {
    match field {
        // Many writers do not annotate text as UTF-8.
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => text.into(),
            Err(_) => bytes_value(bytes.len()),
        },
        Field::Decimal(number) => decimal(field, number),
        Field::Float16(number) => number_value(f64::from(*number)),
        Field::Float(number) => number_value(f64::from(*number)),
        Field::Double(number) => number_value(*number),
        // Nanoseconds, for which there is no field of its own.
        Field::Long(time) => match (unit_and_zone(kind), kind.and_then(logical_type)) {
            (Some((unit, has_zone)), _) => timestamp(*time, unit, has_zone).into(),
            (None, Some(LogicalType::Time(_))) => time_of_day(*time, 1_000_000_000).into(),
            _ => field.to_json_value(),
        },
        Field::TimeMicros(time) => time_of_day(*time, 1_000_000).into(),
        Field::TimeMillis(time) => time_of_day(i64::from(*time), 1_000).into(),
        // Old writers have no logical type: their numbers of 96 bits have no time zone, the others have UTC.
        Field::TimestampMillis(time) => {
            let is_wide = kind
                .is_some_and(|kind| kind.is_primitive() && kind.get_physical_type() == PhysicalType::INT96);
            let (unit, has_zone) = unit_and_zone(kind).unwrap_or((1_000, !is_wide));
            timestamp(*time, unit, has_zone).into()
        }
        Field::TimestampMicros(time) => {
            let (unit, has_zone) = unit_and_zone(kind).unwrap_or((1_000_000, true));
            timestamp(*time, unit, has_zone).into()
        }
        Field::Group(row) => object(row.get_column_iter(), kind).into(),
        Field::ListInternal(list) => {
            let element = kind.and_then(element);
            list.elements().iter().map(|item| json(item, element)).collect()
        }
        Field::MapInternal(map) => {
            let entry = kind.and_then(only_field);
            let [key, value] = [0, 1].map(|index| fields(entry?).get(index).map(AsRef::as_ref));
            let entries = map.entries().iter().map(|(name, item)| (key_text(name, key), json(item, value)));
            Json::Object(entries.collect())
        }
        _ => field.to_json_value(),
    }
}

fn logical_type(kind: &Type) -> Option<&LogicalType> {
    kind.get_basic_info().logical_type_ref()
}

/// Units of a second, and whether the column has a time zone, if its type is a timestamp.
fn unit_and_zone(kind: Option<&Type>) -> Option<(i64, bool)> {
    match logical_type(kind?)? {
        LogicalType::Timestamp(time) => {
            let unit = match time.unit {
                TimeUnit::MILLIS => 1_000,
                TimeUnit::MICROS => 1_000_000,
                TimeUnit::NANOS => 1_000_000_000,
            };
            Some((unit, time.is_adjusted_to_u_t_c))
        }
        _ => None,
    }
}

fn fields(kind: &Type) -> &[TypePtr] {
    if kind.is_group() { kind.get_fields() } else { &[] }
}

fn child<'a>(group: Option<&'a Type>, name: &str) -> Option<&'a Type> {
    fields(group?).iter().find(|field| field.name() == name).map(AsRef::as_ref)
}

fn only_field(group: &Type) -> Option<&Type> {
    match fields(group) {
        [field] => Some(field.as_ref()),
        _ => None,
    }
}

/// The type of the elements of a list. A list has a repeated field, which is the element or, in newer files, a group around it.
fn element(list: &Type) -> Option<&Type> {
    let info = list.get_basic_info();
    let is_list =
        info.logical_type_ref() == Some(&LogicalType::List) || info.converted_type() == ConvertedType::LIST;
    if !is_list {
        // A repeated field without a list around it.
        return Some(list);
    }
    let repeated = only_field(list)?;
    let is_old = repeated.name() == "array" || repeated.name() == format!("{}_tuple", list.name());
    match only_field(repeated) {
        Some(element) if !is_old => Some(element),
        _ => Some(repeated),
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

fn key_text(key: &Field, kind: Option<&Type>) -> String {
    match json(key, kind) {
        Json::String(text) => text,
        other => other.to_string(),
    }
}
