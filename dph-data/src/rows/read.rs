//! [`read_rows`]: reads the rows of a file; its name says in which format.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use dph_core::encoding::{BYTE_ORDER_MARK, not_utf8, wide};
use dph_core::git_lfs::{POINTER, is_pointer};
use dph_core::path_kind::PathKind;
use flate2::read::MultiGzDecoder;

use super::error::RowsError;
use super::fit::FitOf;
use super::format::{FileName, Format};
use super::row::Row;
use super::{delimited, json, jsonl, parquet, txt};

/// How a gzip archive begins.
const GZIP: &[u8] = b"\x1F\x8B";

/// What a task knows of its files.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    /// Whether a quotation mark may enclose a field of a tsv file.
    pub quotes: bool,
    /// The names that a file with several splits may have for the split that is read.
    pub split: &'a [String],
    /// How well an object is a row of the task, which tells the forms of JSON files apart.
    pub fit: Option<FitOf<'a>>,
}

/// All rows of a file in order. The extension selects the format.
///
/// A row that cannot be read is a [`RowProblem`](crate::RowProblem); the other rows can be used. Quotation marks in tsv files
/// enclose fields, and a JSON object may be a table or a row; [`Task::read_rows`](crate::Task::read_rows) knows from the task which it is.
///
/// # Errors
/// A file that cannot be read or is not in its format.
pub fn read_rows(path: &Path) -> Result<Vec<Row>, RowsError> {
    read(path, Reading { quotes: true, split: &[], fit: None })
}

/// The rows of a file of a task, see [`read_rows`].
pub(crate) fn read(path: &Path, reading: Reading<'_>) -> Result<Vec<Row>, RowsError> {
    check_file(path)?;
    let Some(name) = FileName::parse(path) else {
        return Err(RowsError::UnknownFormat { path: path.to_owned() });
    };
    let text = || text(path, name.is_compressed);
    match name.format {
        Format::JsonLines => jsonl::parse(path, &with_line_feeds(text()?)),
        Format::Json => json::parse(path, &with_line_feeds(text()?), reading),
        Format::Csv => delimited::parse_csv(path, &text()?),
        Format::Tsv => delimited::parse_tsv(path, &text()?, reading.quotes),
        Format::Text => Ok(txt::parse(&with_line_feeds(text()?))),
        Format::Parquet => parquet::read(path),
    }
}

/// Rejects what is no regular file: a directory, nothing, or a pipe, whose end may never come.
pub(crate) fn check_file(path: &Path) -> Result<(), RowsError> {
    let found = PathKind::of(path);
    let remedy = match found {
        PathKind::File => return Ok(()),
        PathKind::Special => "; write its contents into one",
        _ => "",
    };
    let what = format!("{found}{remedy}");
    let kind = path.metadata().err().map_or(io::ErrorKind::Other, |error| error.kind());
    Err(RowsError::Read { path: path.to_owned(), source: io::Error::new(kind, what) })
}

/// The text of a file, without a byte order mark.
fn text(path: &Path, is_compressed: bool) -> Result<Vec<u8>, RowsError> {
    let mut bytes = fs::read(path).map_err(|source| RowsError::Read { path: path.to_owned(), source })?;
    if is_compressed && !is_pointer(&bytes) {
        check_compressed(path, &bytes)?;
        let mut unpacked = Vec::new();
        MultiGzDecoder::new(&*bytes).read_to_end(&mut unpacked).map_err(|error| RowsError::Damaged {
            path: path.to_owned(),
            line: None,
            message: format!("not a readable gzip archive ({error}); is it complete?"),
        })?;
        bytes = unpacked;
    }
    check_text(path, &bytes)?;
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(bytes)
}

/// Rejects what is no gzip archive but a text, or of another known format.
fn check_compressed(path: &Path, bytes: &[u8]) -> Result<(), RowsError> {
    if bytes.is_empty() || bytes.starts_with(GZIP) {
        return Ok(());
    }
    check_text(path, bytes)?;
    match std::str::from_utf8(bytes) {
        Ok(_) => Err(RowsError::OtherFormat {
            path: path.to_owned(),
            expected: "a gzip archive",
            found: "not compressed",
            remedy: "remove .gz from its name",
        }),
        Err(_) => Ok(()),
    }
}

/// A text whose lines end with `\r` only, as on old computers and of some spreadsheets, with `\n` in its place; any other text as it is.
fn with_line_feeds(mut text: Vec<u8>) -> Vec<u8> {
    if !text.contains(&b'\n') {
        text.iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b'\n');
    }
    text
}

/// The place of a row for messages: its line, or its number in formats without lines.
pub(crate) fn place(path: &Path, number: usize) -> String {
    match FileName::parse(path).map(|name| name.format) {
        Some(Format::Json | Format::Parquet) => format!("{}, row {number}", path.display()),
        _ => format!("{}:{number}", path.display()),
    }
}

/// Recognises common files with a wrong extension, and text in another encoding.
fn check_text(path: &Path, bytes: &[u8]) -> Result<(), RowsError> {
    match foreign(bytes) {
        None => Ok(()),
        Some(Foreign::Pointer) => Err(RowsError::pointer(path)),
        Some(Foreign::Format(found, remedy)) => {
            Err(RowsError::OtherFormat { path: path.to_owned(), expected: "text", found, remedy })
        }
        Some(Foreign::Encoding) => Err(RowsError::Damaged {
            path: path.to_owned(),
            line: None,
            message: format!("this {}", not_utf8(bytes)),
        }),
    }
}

/// What is no text in UTF-8.
enum Foreign {
    Pointer,
    /// Another format, and what to do.
    Format(&'static str, &'static str),
    /// Characters of two or four bytes.
    Encoding,
}

fn foreign(bytes: &[u8]) -> Option<Foreign> {
    match bytes {
        _ if is_pointer(bytes) => Some(Foreign::Pointer),
        [b'P', b'A', b'R', b'1', ..] => Some(Foreign::Format("a parquet file", "rename it to .parquet")),
        _ if bytes.starts_with(GZIP) => Some(Foreign::Format("a gzip archive", "unpack it first (gzip -d)")),
        [b'P', b'K', 3, 4, ..] => Some(Foreign::Format("a zip archive", "unpack it first")),
        _ if wide(bytes).is_some() => Some(Foreign::Encoding),
        _ if bytes.starts_with(b"<!DOCTYPE") || bytes.starts_with(b"<html") => {
            Some(Foreign::Format("a web page", "download the data itself"))
        }
        _ => None,
    }
}

/// What a file of JSON Lines that begins with these bytes is instead of text, and what to do; `None` if it may be text.
pub fn what_instead_of_text(bytes: &[u8]) -> Option<String> {
    Some(match foreign(bytes)? {
        Foreign::Pointer => POINTER.to_owned(),
        Foreign::Format("a parquet file", _) => {
            "this is not text but a parquet file; convert it to JSON Lines".into()
        }
        Foreign::Format(found, remedy) => format!("this is not text but {found}; {remedy}"),
        Foreign::Encoding => format!("this {}", not_utf8(bytes)),
    })
}
