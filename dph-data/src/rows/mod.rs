//! Rows of jsonl, json, csv, tsv, parquet and txt files, all as JSON objects; and the rows that cannot be used.

mod delimited;
mod error;
mod json;
mod jsonl;
mod parquet;
mod problem;
mod read;
mod row;
mod skipped;
mod txt;

pub use error::RowsError;
pub use problem::{RowProblem, SkipReason};
pub use read::read_rows;
pub(crate) use read::{EXTENSIONS, place};
pub use row::Row;
pub use skipped::{Skipped, SkippedRow};
