//! csv and tsv: the first line names the fields, all values are text.

use std::collections::HashSet;
use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder};
use dph_core::encoding::BYTE_ORDER_MARK;
use dph_core::terminal::numbers::counted;
use serde_json::{Map, Value as Json};

use super::error::RowsError;
use super::file_encoding::FileEncoding;
use super::problem::{NUL, RowProblem, SkipReason};
use super::quoting::{Quoting, quoting};
use super::row::Row;

/// The delimiters of files whose header has none of their own.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Comma-separated values with quotes as in RFC 4180.
pub(super) fn parse_csv(path: &Path, bytes: &[u8]) -> Result<Vec<Row>, RowsError> {
    parse(path, bytes, b',', true)
}

/// Tab-separated values. With `quotes`, fields may be quoted as in RFC 4180; otherwise a quotation mark is an ordinary character.
pub(super) fn parse_tsv(path: &Path, bytes: &[u8], quotes: bool) -> Result<Vec<Row>, RowsError> {
    parse(path, bytes, b'\t', quotes)
}

fn parse(path: &Path, bytes: &[u8], delimiter: u8, quotes: bool) -> Result<Vec<Row>, RowsError> {
    if let Some(remedy) = json_remedy(bytes) {
        let (expected, found) = ("a table", "JSON");
        return Err(RowsError::OtherFormat { path: path.to_owned(), expected, found, remedy });
    }
    let damaged = |error: csv::Error| RowsError::Damaged {
        path: path.to_owned(),
        line: error.position().map(|position| position.line() as usize),
        message: error.to_string(),
    };
    let mut lines = Lines { at: 0, number: 1 };
    let (bytes, delimiter) = match spreadsheet_delimiter(bytes) {
        Some((delimiter, rest)) => {
            lines.number += 1;
            (rest, delimiter)
        }
        None => (bytes, evident_delimiter(bytes, delimiter, quotes).map_err(damaged)?),
    };
    let encoding = FileEncoding::new(bytes);
    let mut reader = reader(bytes, delimiter, quotes);
    let header = names(path, lines.number, &encoding, reader.byte_headers().map_err(damaged)?)?;
    let mut rows = Vec::new();
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(damaged)? {
        // Spreadsheets write such lines for rows without cells. As blank lines, they are no rows.
        if record.len() > 1 && record.iter().all(<[u8]>::is_empty) {
            continue;
        }
        let start = record.position().map_or(0, |start| start.byte() as usize);
        let source = &bytes[start..reader.position().byte() as usize];
        // The reader leaves the end of the line before to the next record.
        let blank = source.iter().take_while(|byte| b"\r\n".contains(byte)).count();
        let number = lines.number_at(bytes, start + blank);
        let source = &source[blank..];
        let checked = check_joined(source, &header, &record)
            .and_then(|()| if quotes { check_quotes(source, delimiter) } else { Ok(()) });
        rows.push(Row { number, fields: checked.and_then(|()| fields(&header, &record, &encoding)) });
    }
    Ok(rows)
}

/// What to do with a file that is JSON; `None` if it is not.
fn json_remedy(bytes: &[u8]) -> Option<&'static str> {
    let mut opening = bytes.iter().filter(|byte| !byte.is_ascii_whitespace());
    match [opening.next()?, opening.next()?] {
        [b'{', b'"'] => Some("rename it to .jsonl"),
        [b'[', b'{'] => Some("rename it to .json"),
        _ => None,
    }
}

fn reader(bytes: &[u8], delimiter: u8, quotes: bool) -> Reader<&[u8]> {
    ReaderBuilder::new().delimiter(delimiter).quoting(quotes).flexible(true).from_reader(bytes)
}

/// The delimiter of the format or, if the header does not contain it, or only inside of a quoted name, the one that gives the header most
/// columns.
fn evident_delimiter(bytes: &[u8], own: u8, quotes: bool) -> Result<u8, csv::Error> {
    // Whether no name is cut at a delimiter inside of quotation marks, and the number of columns.
    let columns = |delimiter| -> Result<(bool, usize), csv::Error> {
        let mut reader = reader(bytes, delimiter, quotes);
        let header = reader.byte_headers()?;
        let is_whole = !quotes || !header.iter().any(|name| name.contains(&b'"'));
        Ok((is_whole, header.len()))
    };
    let (mut evident, mut most) = (own, columns(own)?);
    if matches!(most, (true, 2..)) {
        return Ok(own);
    }
    for delimiter in DELIMITERS {
        let columns = columns(delimiter)?;
        if columns.1 > 1 && (most.1 == 1 || columns > most) {
            (evident, most) = (delimiter, columns);
        }
    }
    Ok(evident)
}

/// The delimiter in the line `sep=;` with which spreadsheets may begin a file, and the text behind this line.
fn spreadsheet_delimiter(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (line, rest) = bytes.split_at(bytes.iter().position(|byte| b"\r\n".contains(byte))?);
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match line {
        [name @ .., delimiter] if name.eq_ignore_ascii_case(b"sep=") && DELIMITERS.contains(delimiter) => {
            let end = if rest.starts_with(b"\r\n") { 2 } else { 1 };
            Some((*delimiter, &rest[end..]))
        }
        _ => None,
    }
}

/// Numbers of lines, which end with `\n`, `\r\n` or `\r`.
struct Lines {
    at: usize,
    number: usize,
}

impl Lines {
    /// The number of the line at a place that is not before the last one.
    fn number_at(&mut self, bytes: &[u8], place: usize) -> usize {
        let is_end = |at: &usize| match bytes[*at] {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        self.number += (self.at..place).filter(is_end).count();
        self.at = place;
        self.number
    }
}

/// The names of the columns, in this line. Columns without a name may be several.
fn names(
    path: &Path,
    line: usize,
    encoding: &FileEncoding<'_>,
    header: &ByteRecord,
) -> Result<Vec<String>, RowsError> {
    let mut known = HashSet::new();
    let name = |name: &[u8]| {
        let name = std::str::from_utf8(name).map_err(|_| RowsError::Damaged {
            path: path.to_owned(),
            line: Some(line),
            message: format!("the name of a column {}", encoding.not_utf8(name)),
        })?;
        if !name.is_empty() && !known.insert(name.to_owned()) {
            return Err(RowsError::same_columns(path, Some(line), name));
        }
        Ok(name.to_owned())
    };
    header.iter().map(name).collect()
}

/// Rejects the first line of another file that was joined to this one.
fn check_joined(source: &[u8], header: &[String], record: &ByteRecord) -> Result<(), RowProblem> {
    let has_mark = source.starts_with(BYTE_ORDER_MARK);
    let is_header = header.len() > 1 && header.iter().map(String::as_bytes).eq(record);
    let (what, remedy) = match (has_mark, is_header) {
        (true, _) => (
            "the line begins with a byte order mark (U+FEFF)",
            "remove the mark, and the line if it names the columns",
        ),
        (_, true) => ("the line names the columns again", "remove the line"),
        _ => return Ok(()),
    };
    let message = format!("{what}, so that files were probably joined here; {remedy}");
    Err(RowProblem::new(SkipReason::Unreadable, message))
}

/// Rejects a record that may have swallowed lines, because a quotation mark was not meant to open a field.
fn check_quotes(source: &[u8], delimiter: u8) -> Result<(), RowProblem> {
    let source = source.trim_ascii_end();
    if quoting(source, delimiter) == Quoting::Closed {
        return Ok(());
    }
    let lines = 1 + source.iter().filter(|byte| **byte == b'\n').count();
    let remedy = if delimiter == b'\t' {
        "if quotation marks are ordinary characters in this file, set `quotes = false` in the task"
    } else {
        "write a quotation mark inside of a quoted field twice (\"\")"
    };
    let message = format!(
        "a field begins with a quotation mark that does not end it (the row has {}); {remedy}",
        counted(lines, "line")
    );
    Err(RowProblem::new(SkipReason::Unreadable, message))
}

fn fields(
    header: &[String],
    record: &ByteRecord,
    encoding: &FileEncoding<'_>,
) -> Result<Map<String, Json>, RowProblem> {
    let unreadable = |message: String| RowProblem::new(SkipReason::Unreadable, message);
    if header.len() != record.len() {
        let message = format!("{} columns where the first line has {}", record.len(), header.len());
        return Err(unreadable(message));
    }
    header
        .iter()
        .zip(record)
        .map(|(name, value)| match std::str::from_utf8(value) {
            Ok(text) if text.contains('\0') => Err(unreadable(format!("the column `{name}` {NUL}"))),
            Ok(text) => Ok((name.clone(), Json::String(text.to_owned()))),
            Err(_) => Err(unreadable(format!("the column `{name}` {}", encoding.not_utf8(value)))),
        })
        .collect()
}
