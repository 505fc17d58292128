//! [`read_rows`]: reads the rows of a file; the extension selects the format.

use std::fs;
use std::path::Path;

use super::error::RowsError;
use super::row::Row;
use super::{delimited, json, jsonl, parquet, txt};

/// The file formats in order of priority, for the case that several files match.
pub(crate) const EXTENSIONS: [&str; 6] = ["jsonl", "json", "csv", "tsv", "parquet", "txt"];

/// All rows of a file in order. The extension selects the format.
///
/// A row that cannot be read is a [`RowProblem`](crate::RowProblem); the other rows can be used.
///
/// # Errors
/// A file that cannot be read or is not in its format.
pub fn read_rows(path: &Path) -> Result<Vec<Row>, RowsError> {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase);
    let parse: fn(&Path, &[u8]) -> Result<Vec<Row>, RowsError> = match extension.as_deref() {
        Some("jsonl" | "ndjson") => jsonl::parse,
        Some("json") => json::parse,
        Some("csv") => delimited::parse_csv,
        Some("tsv") => delimited::parse_tsv,
        Some("txt") => txt::parse,
        Some("parquet") => return parquet::read(path),
        _ => return Err(RowsError::UnknownFormat { path: path.to_owned() }),
    };
    let bytes = fs::read(path).map_err(|source| RowsError::Read { path: path.to_owned(), source })?;
    check_text(path, &bytes)?;
    parse(path, bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes))
}

/// The place of a row for messages: its line, or its number in formats without lines.
pub(crate) fn place(path: &Path, number: usize) -> String {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json" | "parquet") => format!("{}, row {number}", path.display()),
        _ => format!("{}:{number}", path.display()),
    }
}

/// Recognises common files with a wrong extension.
fn check_text(path: &Path, bytes: &[u8]) -> Result<(), RowsError> {
    let other = |found, remedy| {
        Err(RowsError::OtherFormat { path: path.to_owned(), expected: "text", found, remedy })
    };
    match bytes {
        [b'P', b'A', b'R', b'1', ..] => other("a parquet file", "rename it to .parquet"),
        [0x1F, 0x8B, ..] => other("a gzip archive", "unpack it first (gzip -d)"),
        [b'P', b'K', 3, 4, ..] => other("a zip archive", "unpack it first"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
            other("UTF-16", "convert it to UTF-8 (iconv -f utf-16 -t utf-8)")
        }
        _ if bytes.starts_with(b"version https://git-lfs") => {
            other("a pointer of Git LFS", "fetch the file itself (git lfs pull)")
        }
        _ if bytes.starts_with(b"<!DOCTYPE") || bytes.starts_with(b"<html") => {
            other("a web page", "download the data itself")
        }
        _ => Ok(()),
    }
}
