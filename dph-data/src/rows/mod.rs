//! Rows of jsonl, json, csv, tsv, parquet and txt files, all as JSON objects; and the rows that cannot be used.

mod byte_values;
mod delimited;
mod error;
mod format;
mod json;
mod json_place;
mod json_table;
mod json_values;
mod jsonl;
mod parquet;
mod problem;
mod python_numbers;
mod quoting;
mod read;
mod row;
mod skipped;
mod txt;

pub(crate) use byte_values::{BYTES, holds_bytes};
pub use error::RowsError;
pub(crate) use format::{EXTENSIONS, FileName};
pub use problem::{RowProblem, SkipReason};
pub use read::read_rows;
pub(crate) use read::{Reading, check_file, place, read};
pub use row::Row;
pub(crate) use row::field_names;
pub use skipped::{Skipped, SkippedRow};
