//! Rows of jsonl, json, csv, tsv, parquet and txt files, all as JSON objects; and the rows that cannot be used.

mod delimited;
mod error;
mod file_encoding;
mod format;
mod json;
mod json_extent;
mod json_keys;
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
mod stand_ins;
mod timestamps;
mod txt;

pub use error::RowsError;
pub(crate) use format::{EXTENSIONS, FileName, Format};
pub(crate) use json_keys::MarkedJson;
pub use json_keys::UniqueJson;
pub use json_values::read_json;
pub use problem::{RowProblem, SkipReason};
pub(crate) use python_numbers::without_marks;
pub(crate) use read::{Reading, check_file, place, read};
pub use read::{read_rows, what_instead_of_text};
pub use row::Row;
pub(crate) use row::field_names;
pub use skipped::{Skipped, SkippedRow};
pub(crate) use stand_ins::{BYTES, NAN, contained_phrase, phrase};
