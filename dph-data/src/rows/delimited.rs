//! csv and tsv: the first line names the fields, all values are text.

use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};
use serde_json::{Map, Value as Json};

use super::error::RowsError;
use super::problem::{RowProblem, SkipReason};
use super::row::Row;

/// Comma-separated values with quotes as in RFC 4180.
pub(super) fn parse_csv(path: &Path, bytes: &[u8]) -> Result<Vec<Row>, RowsError> {
    parse(path, bytes, ReaderBuilder::new().delimiter(b','))
}

/// Tab-separated values as GLUE publishes them: a quote is an ordinary character.
pub(super) fn parse_tsv(path: &Path, bytes: &[u8]) -> Result<Vec<Row>, RowsError> {
    parse(path, bytes, ReaderBuilder::new().delimiter(b'\t').quoting(false))
}

fn parse(path: &Path, bytes: &[u8], reader: &mut ReaderBuilder) -> Result<Vec<Row>, RowsError> {
    let mut reader = reader.flexible(true).has_headers(true).from_reader(bytes);
    let damaged = |error: csv::Error| RowsError::Damaged {
        path: path.to_owned(),
        line: error.position().map(|position| position.line() as usize),
        message: error.to_string(),
    };
    let header = reader.headers().map_err(damaged)?.clone();
    let mut rows = Vec::new();
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(damaged)? {
        let number = record.position().map_or(0, |position| position.line() as usize);
        rows.push(Row { number, fields: fields(&header, &record) });
    }
    Ok(rows)
}

fn fields(header: &csv::StringRecord, record: &ByteRecord) -> Result<Map<String, Json>, RowProblem> {
    let unreadable = |message: String| RowProblem::new(SkipReason::Unreadable, message);
    if header.len() != record.len() {
        let message = format!("{} columns where the first line has {}", record.len(), header.len());
        return Err(unreadable(message));
    }
    header
        .iter()
        .zip(record)
        .map(|(name, value)| match std::str::from_utf8(value) {
            Ok(value) => Ok((name.to_owned(), Json::String(value.to_owned()))),
            Err(_) => Err(unreadable(format!("the column `{name}` is not UTF-8"))),
        })
        .collect()
}
