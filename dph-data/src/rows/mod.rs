//! Rows of jsonl, json, csv, tsv, parquet and txt files, all as JSON objects; and the rows that cannot be used.

mod delimited;
mod error;
mod format;
mod json;
mod json_table;
mod json_values;
mod jsonl;
mod not_utf8;
mod parquet;
mod problem;
mod quoting;
mod read;
mod row;
mod skipped;
mod txt;

pub use error::RowsError;
pub(crate) use format::{EXTENSIONS, FileName};
pub(crate) use not_utf8::{BYTES, holds_bytes};
pub use problem::{RowProblem, SkipReason};
pub use read::read_rows;
pub(crate) use read::{Reading, place, read};
pub use row::Row;
pub(crate) use row::field_names;
pub use skipped::{Skipped, SkippedRow};
