//! Parquet, the format of the Hugging Face hub.

use std::fs::File;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};

use super::error::RowsError;
use super::row::{Row, object};

pub(super) fn read(path: &Path) -> Result<Vec<Row>, RowsError> {
    let damaged = |error: parquet::errors::ParquetError| RowsError::Damaged {
        path: path.to_owned(),
        line: None,
        message: format!(
            "not a readable parquet file ({error}); is it complete, and not a text file under a wrong name?"
        ),
    };
    let file = File::open(path).map_err(|source| RowsError::Read { path: path.to_owned(), source })?;
    let reader = SerializedFileReader::new(file).map_err(damaged)?;
    let rows = reader.get_row_iter(None).map_err(damaged)?;
    rows.enumerate()
        .map(|(index, row)| {
            let fields = object(row.map_err(damaged)?.to_json_value());
            Ok(Row { number: index + 1, fields })
        })
        .collect()
}
